"""The summary of a run on the console: counts, a few scored clicks, their distribution, what to try next."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from clickscore.config.click import Click
from clickscore.config.output import Output
from clickscore.console import counted, visible, warn
from clickscore.monitoring.progress import ProgressLines
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table

MOST_CLICKS = 100_000
"""Clicks of the newest micro-batch that are looked at; a micro-batch may have millions."""
SAMPLE_ROWS = 5
BINS = 10
BAR_WIDTH = 40
MOST_PLAIN = 1e6
"""Scores from which on their digits would not fit."""
MOSTLY = 0.5
"""Part of the clicks from which on a model that fails on them is called into question, whatever it is allowed."""


def print_summary(
    spark: SparkSession, console: Console, output: Output, click: Click, lines: ProgressLines,
    remarks: Iterable[str] = (),
) -> None:  # fmt: skip
    """Print the summary of a run, with what else there is to say; reads clicks of the newest micro-batch once more."""
    scored, rejected = Table(output.scored), Table(output.rejected)
    console.print(
        f"\n{counted(lines.read, 'record')} in {counted(lines.batches, 'micro-batch', 'micro-batches')}: "
        f"{lines.scored:,} scored, {lines.rejected:,} rejected"
        + (f", {counted(lines.duplicates, 'duplicate')}" if lines.duplicates else ""),
        highlight=False,
    )
    places = {"scored clicks": scored, "rejected clicks": rejected, "model timeline": scored.beside("model_timeline")}
    if (gaps := scored.beside("source_gaps")).exists(spark):
        places["source gaps"] = gaps
    for name, table in places.items():
        console.print(f"  {name:<16} {table.name}", highlight=False, markup=False, soft_wrap=True)
    for doubt in doubts(lines):
        warn(console, doubt)
    for remark in remarks:
        console.print(remark, highlight=False, soft_wrap=True, markup=False)
    if not lines.batches:
        console.print("\nThere was nothing new to read.")
        return
    if lines.newest_scored is None:
        return
    clicks = look_at(scored.read(spark).where(F.col("batch_id") == lines.newest_scored), click)
    console.print(sample(clicks))
    print_histogram(console, score_counts(clicks["score"]))
    console.print(f"\nNext: {_next_command(scored)}", highlight=False, soft_wrap=True, markup=False)


def doubts(lines: ProgressLines) -> Iterator[str]:
    """Yield what the counts of a run say against its model or its contract, however few clicks there were."""
    asked = lines.scored + lines.failed
    often = f", most often: {visible(lines.causes.most_common(1)[0][0])}" if lines.causes else ""
    if lines.failed >= MOSTLY * asked > 0:
        yield (
            f"the model has failed on {lines.failed:,} of the {asked:,} clicks that it was asked about{often}. When it "
            f"works, jobs/replay_rejected.py scores them after all."
        )
    elif lines.rejected and not lines.scored:
        which = "the only record was" if lines.rejected == 1 else f"all {lines.rejected:,} records were"
        yield f"{which} rejected{often}. Does the click schema fit?"


def _next_command(scored: Table) -> str:
    if scored.is_path:
        read = f"build_session('look').read.format('delta').load('{scored.name}').show()"
        return f'.venv/bin/python -c "from clickscore.session import build_session; {read}"'
    return f"DESCRIBE HISTORY {scored.name}"


def look_at(clicks: DataFrame, click: Click) -> pa.Table:
    """Fetch scored clicks, ``MOST_CLICKS`` at most.

    Returns:
        ``score DOUBLE`` and, as texts, the click's id, time and visitor, ``model_version`` and ``batch_id``.
    """
    # Times as Spark prints them: it knows years that Python does not.
    names = dict.fromkeys([click.id, click.time, click.visitor, "score", "model_version", "batch_id"])
    columns = [F.col(name) if name == "score" else F.col(quoted(name)).cast("string").alias(name) for name in names]
    found: pa.Table = clicks.select(*columns).limit(MOST_CLICKS).toArrow()
    return found


def sample(clicks: pa.Table) -> Grid:
    """Return a few scored clicks, as ``look_at`` gives them, as a grid."""
    grid = Grid(title="some scored clicks", title_justify="left", title_style="bold")
    for column in clicks.column_names:
        grid.add_column(column, justify="right" if column in ("score", "batch_id") else "left", no_wrap=True)
    for row in clicks.slice(0, SAMPLE_ROWS).to_pylist():
        texts = (f"{value:.4f}" if isinstance(value, float) else visible(str(value)) for value in row.values())
        grid.add_row(*map(Text, texts))
    return grid


def score_counts(scores: pa.ChunkedArray) -> dict[float, int]:
    """Count scores in equal bins between the least and the greatest one; the keys are the lower bounds."""
    values = scores.drop_null().to_numpy()
    if not len(values):
        return {}
    low, high = values.min(), values.max()
    top = high if high > low else low + BINS
    # A model may answer with any finite number: the difference of two of them need not be one.
    part = np.arange(BINS + 1) / BINS
    bounds = low * (1 - part) + top * part
    if not (np.diff(bounds) > 0).all():  # they are closer to each other than the bounds could be
        return {float(low): len(values)}
    counts, _ = np.histogram(values, bounds)
    return dict(zip(bounds[:-1].tolist(), counts.tolist(), strict=True))


def print_histogram(console: Console, counts: dict[float, int]) -> None:
    """Print the bins as bars of text."""
    console.print("\n[bold]scores of the newest micro-batch[/bold]")
    most = max(counts.values(), default=0)
    for low, count in counts.items():
        bound = f"{low:6.3f}" if abs(low) < MOST_PLAIN else f"{low:.3g}"
        bar = "█" * round(BAR_WIDTH * count / most)
        console.print(f"  from {bound}  {bar:<{BAR_WIDTH}} {count:>9,}", highlight=False, markup=False)
