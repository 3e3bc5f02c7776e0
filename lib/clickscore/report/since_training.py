"""Have scores or features moved since the training? The histograms of the micro-batches against the baseline."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from clickscore.drift.baseline import Baseline, BaselineError, read_baseline
from clickscore.drift.measures import Movement, movements
from clickscore.errors import TableError
from clickscore.report import charts
from clickscore.report.bins import LEVELS, MOVED, level, verdict
from clickscore.report.periods import label, name_of, width_for
from clickscore.report.run_tables import COUNTED, RunTables
from clickscore.report.sections import Chart, Grid, listed, plural
from clickscore.scoring.histograms import Counts

_SCORE = ""
"""Stands for the score among the names of features."""
_REFERENCE = (
    "The reference is the baseline of each version: the clicks that were held out from its training. They are "
    "compared with those that it has scored since, by the time of scoring."
)
_PREPARE = """
CREATE OR REPLACE TEMP TABLE counted AS
WITH micro_batches AS (
  SELECT model_name, model_version, batch_id, epoch_us(finished_at) / 1e6 AS at_s, score_histogram, feature_histograms,
    last_value(baseline IGNORE NULLS) OVER (PARTITION BY model_name, model_version ORDER BY batch_id) AS baseline
  FROM metrics WHERE score_histogram IS NOT NULL
), histograms AS (
  SELECT * EXCLUDE (score_histogram, feature_histograms), '' AS name, score_histogram AS bins FROM micro_batches
  UNION ALL
  SELECT * EXCLUDE (entry), entry.key, entry.value FROM (
    SELECT * EXCLUDE (score_histogram, feature_histograms), unnest(map_entries(feature_histograms)) AS entry
    FROM micro_batches
  )
)
SELECT * EXCLUDE (bins), unnest(bins) AS clicks, generate_subscripts(bins, 1) AS place FROM histograms
"""


@dataclass(frozen=True)
class SinceTraining:
    """How far the clicks are from the baselines of the versions that have scored them.

    Attributes:
        sentences: what has moved, version by version.
        chart: the PSI of the newest version, period by period.
        grid: its newest period in numbers, with its title.
    """

    sentences: tuple[str, ...]
    chart: Chart
    grid: tuple[str, Grid]


def compare(tables: RunTables, least: int, ignored: Collection[str] = ()) -> SinceTraining | None:
    """Compare the micro-batches with the baselines of their model versions.

    Args:
        tables: the tables of the run.
        least: clicks of a period that is compared; the shares of fewer differ by chance.
        ignored: features that no sentence calls moved.

    Returns:
        What has moved; None if no period has as many clicks with a version that has a baseline.

    Raises:
        TableError: if a baseline in the table cannot be read.
    """
    if tables.metrics is None or not set(COUNTED) <= set(tables.metrics.rows.schema.names):
        return None
    tables.ask(_PREPARE)
    [(first_s, last_s)] = tables.ask("SELECT min(at_s), max(at_s) FROM counted")
    if first_s is None:
        return None
    width = width_for(last_s - first_s)
    versions = tables.ask(
        """
        SELECT model_name, model_version, arg_max(baseline, batch_id) FROM counted
        WHERE baseline IS NOT NULL GROUP BY ALL ORDER BY max(batch_id)
        """
    )
    found = {
        f"{name} version {version}": moved
        for name, version, text in versions
        if (moved := _movements(tables, (name, version, text), width, least))
    }
    if not found:
        return None
    newest, moved = list(found.items())[-1]
    said = [_sentence(name, each, width, ignored) for name, each in found.items()]
    return SinceTraining((_REFERENCE, *said), _chart(newest, moved, width, ignored), _grid(newest, moved, width))


def ignored_note(ignored: Collection[str], names: Collection[str]) -> str:
    """Return a sentence on the features that the text passes over; nothing where there are none."""
    passed_over = [name for name in ignored if name in names]
    return f" drift.ignore lets the text pass over {listed(passed_over)}." if passed_over else ""


def _movements(
    tables: RunTables, version: tuple[str, str, str], width: int, least: int
) -> dict[float, dict[str, Movement]]:
    """Return how far each column has moved, by the start of a period."""
    try:
        baseline = read_baseline(version[2])
    except BaselineError as error:
        raise TableError(
            f"stream_metrics: baseline of {version[0]} version {version[1]}: {error}. Make the report with the version "
            f"of clickscore that has written it, or a newer one."
        ) from None
    rows = tables.ask(
        """
        SELECT floor(at_s / $1) * $1 AS period, name, place, sum(clicks)::BIGINT FROM counted
        WHERE (model_name, model_version, baseline) = ($2, $3, $4) GROUP BY ALL ORDER BY ALL
        """,
        width, *version,
    )  # fmt: skip
    counts: dict[float, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for period, name, _, clicks in rows:
        counts[period][name].append(clicks)
    return {
        period: movements(baseline, _joined(baseline, each))
        for period, each in counts.items()
        if sum(each[_SCORE]) >= least
    }


def _joined(baseline: Baseline, counts: Mapping[str, list[int]]) -> Counts:
    return np.concatenate([np.array(counts[name], np.int64) for name in (_SCORE, *baseline.bins.features)])


def _sentence(
    name: str, moved: Mapping[float, Mapping[str, Movement]], width: int, ignored: Collection[str]
) -> str:  # fmt: skip
    most = {column: max(each[column].psi for each in moved.values()) for column in next(iter(moved.values()))}
    score, *every = most
    features = [column for column in every if column not in ignored]
    when = max(moved, key=lambda period: moved[period][score].psi)
    those = sorted((column for column in features if most[column] >= MOVED), key=lambda column: -most[column])
    told = listed(f"{column} ({most[column]:.2f})" for column in those)
    said = f"{plural(len(those), 'feature')} of {len(features):,} moved: {told}" if those else "no feature has moved"
    return (
        f"{name}: the score has {verdict(most[score])}, its PSI is {most[score]:.3f} at most ({label(when, width)}); "
        f"{said}."
    )


def _chart(
    name: str, moved: Mapping[float, Mapping[str, Movement]], width: int, ignored: Collection[str]
) -> Chart:  # fmt: skip
    names = sorted(next(iter(moved.values())), key=lambda column: -max(each[column].psi for each in moved.values()))
    rows = [
        {"name": column, "period": label(start, width), "number": each[column].psi, "level": level(each[column].psi)}
        for column in names
        for start, each in moved.items()
    ]
    grid = Grid(
        ("column", *(f">{label(start, width)}" for start in moved)),
        tuple((column, *(f"{each[column].psi:.3f}" for each in moved.values())) for column in names),
    )
    title = f"PSI of the score and of each feature per {name_of(width)}, against the baseline of {name}"
    return Chart("features", title, charts.heat(rows, names, LEVELS, "PSI"), grid, ignored_note(ignored, names).strip())


def _grid(name: str, moved: Mapping[float, Mapping[str, Movement]], width: int) -> tuple[str, Grid]:
    start = max(moved)
    rows = sorted(moved[start].items(), key=lambda item: -item[1].psi)
    columns = ("column", ">PSI", ">divergence, bits", ">nulls before, %", ">nulls now, %", "most of it")
    cells = (
        (
            column, f"{each.psi:.3f}", f"{each.divergence:.4f}", *(f"{100 * share:.2f}" for share in each.nulls),
            each.cause if each.psi >= MOVED else "",
        )
        for column, each in rows
    )  # fmt: skip
    title = f"{name} against its baseline, the newest {name_of(width)} ({label(start, width)})"
    return title, Grid(columns, tuple(cells))
