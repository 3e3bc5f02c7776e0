"""The re-score: a period of ``scored_clicks`` is scored again into a table of its own, or compared on the fly."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path

from pyspark import StorageLevel
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.batch import comparison, ranges, rescored_table
from clickscore.batch.progress import ChunkLines
from clickscore.batch.rescoring import NEW, Period, features_digest, plain, rescored, rescored_clicks
from clickscore.batch.wiring import check_model, check_whole
from clickscore.config.run import Config
from clickscore.console import warn
from clickscore.errors import BatchError, TableError, gist
from clickscore.monitoring.report import Report
from clickscore.registry.registry import fetch_current
from clickscore.registry.version import ModelVersion
from clickscore.retries import STREAM_LIMIT_S, persistently
from clickscore.scoring.isolation import Tolerance
from clickscore.spark_errors import WorkerCrashError, guarded
from clickscore.storage.protocol import check_readable
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table
from clickscore.stream.definition import Definition, read_definition
from clickscore.stream.deployment import Deployment
from clickscore.stream.pipeline import Score
from clickscore.stream.silence import ending_silent_workers

CHUNK_CLICKS = 1_000_000
"""Clicks of a commit, more where one micro-batch has more."""


@dataclass(frozen=True)
class Asked:
    """What was asked for.

    Attributes:
        period: which clicks.
        into: the table of the new scores; None compares without keeping them.
        is_compared: whether the figures are printed.
        by: column of the comparison beside the day.
    """

    period: Period
    into: str | None = None
    is_compared: bool = False
    by: str | None = None


@dataclass(frozen=True)
class Scorer:
    """Scores clicks again with one version.

    Attributes:
        definition: contract, features, and the columns of the tables.
        model: the version.
        digest: of the features file.
        score_with: how much it may fail to the function that scores records.
        time_limit_s: how long one call of the model may take.
    """

    definition: Definition
    model: ModelVersion
    digest: str
    score_with: Callable[[Tolerance], Score]
    time_limit_s: float

    def surviving(self, clicks: DataFrame, use: Callable[[DataFrame], object]) -> None:
        """Use the clicks with their new scores; if a worker dies, once more with the model in a process of its own.

        Raises:
            BatchError: if it dies again.
        """
        # What the version fails on has no new score, so it may fail as often as it likes.
        for in_child in (False, True):
            tolerance = Tolerance(self.time_limit_s, count=inf, hangs=inf, in_child=in_child)
            score = self.score_with(tolerance)
            rows = rescored(clicks, self.definition.layout, score, self.model, self.digest)
            try:
                guarded(partial(use, rows))
            except WorkerCrashError as error:
                if in_child:
                    raise BatchError(f"{self.model.label}: {error}. Start again; what is done stays.") from error
            else:
                return


def run(config: Config, make_session: Callable[[], SparkSession], console: Console, asked: Asked) -> None:
    """Score clicks again into a table, compare, or both.

    Args:
        config: the run; ``model.uri`` names the version, ``features`` the features.
        make_session: builds the session.
        console: where progress and figures go.
        asked: what to do.

    Raises:
        WiringError: if something does not fit; nothing is changed then.
        BatchError: if it cannot go on; to start it again is safe.
    """
    with tempfile.TemporaryDirectory(prefix="clickscore-") as folder:
        model = fetch_current(config.model, Path(folder))
        definition = check_model(config, model)
        check_whole(definition)
        spark = make_session()
        scored = _read_scored(spark, config, definition)
        if asked.by:
            comparison.check_column(asked.by, scored.columns, config.output.scored)
        deployment = Deployment(spark, config.model)
        scorer = Scorer(
            definition, model, features_digest(config),
            lambda tolerance: deployment.score_with(plain(definition.contract), definition.features, model, tolerance),
            config.model.time_limit_ms / 1000,
        )  # fmt: skip
        table = None
        if asked.into:
            about = {"model": model.label, "features": scorer.digest}
            table = rescored_table.prepare(spark, config, definition.layout, asked.into, asked.period, about)
        for doubt in model.doubts:
            warn(console, doubt)
        with ending_silent_workers(spark, config.model):
            deployment.warm_up(model, tuple(config.model.picks.values()))
            if table:
                _write(spark, config, console, scorer, table, asked.period)
                if asked.is_compared:
                    compare(config, lambda: spark, console, asked)
            else:
                with _kept(scorer, asked.period.of(scored, definition.layout.time)) as scores:
                    _show(console, scores, config, definition, asked, model.label)


def compare(config: Config, make_session: Callable[[], SparkSession], console: Console, asked: Asked) -> None:
    """Print the figures of a table that a re-score has written.

    Raises:
        TableError: if it is not there, or is something else.
    """
    assert asked.into
    spark, definition, table = make_session(), read_definition(config), Table(asked.into)
    check_readable(spark, table)
    if not table.exists(spark):
        raise TableError(f"--into: there is no table {table.name}. Write it first: --rescore --into {table.name}")
    table.check(spark, rescored_clicks(definition.layout))
    rows = table.read(spark)
    if asked.by:
        comparison.check_column(asked.by, rows.columns, table.name)
    scores = asked.period.of(rows, definition.layout.time)
    models = [row[0] for row in scores.select("new_model").distinct().orderBy("new_model").collect()]
    _show(console, scores, config, definition, asked, ", ".join(models))


def _show(
    console: Console, scores: DataFrame, config: Config, definition: Definition, asked: Asked, model: str
) -> None:
    if scores.isEmpty():
        raise TableError(f"--from, --to: there is no click {asked.period} to compare. Widen the range.")
    title = f"{model} against the scores of {config.output.scored}"
    comparison.show(console, title, scores, quoted(definition.layout.time), quoted(asked.by) if asked.by else None)


def _read_scored(spark: SparkSession, config: Config, definition: Definition) -> DataFrame:
    scored = Table(config.output.scored)
    check_readable(spark, scored)
    if not scored.exists(spark):
        raise TableError(f"output.scored: there is no table {scored.name}. Let the stream score clicks first, or "
                         f"correct the name.")  # fmt: skip
    scored.check(spark, definition.layout.scored)
    return scored.read(spark)


@contextmanager
def _kept(scorer: Scorer, clicks: DataFrame) -> Iterator[DataFrame]:
    """Yield the clicks with both scores, computed once and kept on disk meanwhile."""
    kept: list[DataFrame] = []

    def keep(rows: DataFrame) -> None:
        kept[:] = [rows.persist(StorageLevel.DISK_ONLY)]
        kept[0].count()

    try:
        scorer.surviving(clicks, keep)
        yield kept[0]
    finally:
        for rows in kept:
            rows.unpersist()


def clicks_of(spark: SparkSession, scored: Table, version: int, table: Table) -> DataFrame:
    """Return the scored clicks of the version that a table is a re-score of.

    Raises:
        TableError: if that version can no longer be read, as its commits are trimmed from the log.
    """
    try:
        return scored.read(spark, version)
    except AnalysisException as error:
        raise TableError(
            f"{table.name} is not complete, and is made of version {version} of {scored.name}, which cannot be read "
            f"any more: {gist(error)} Drop {table.name}, and start again."
        ) from error


def _write(spark: SparkSession, config: Config, console: Console, scorer: Scorer, table: Table, period: Period) -> None:
    """Write the chunks that are not in the table yet, of the clicks as they were when it was made."""
    version = rescored_table.version_of(spark, table)
    clicks = period.of(clicks_of(spark, Table(config.output.scored), version, table), scorer.definition.layout.time)
    sizes = clicks.groupBy("batch_id").count().orderBy("batch_id").collect()
    done = {row[0] for row in table.read(spark).select("batch_id").distinct().collect()}
    chunks = list(ranges.packed(((row[0], row[1]) for row in sizes if row[0] not in done), CHUNK_CLICKS))
    numbers = {row[0]: number for number, row in enumerate(sizes, 1)}
    began = time.monotonic()
    with ChunkLines(console, len(chunks)) as lines:
        for batches in chunks:
            # The number of the transaction grows from chunk to chunk, and is the same for whoever writes this one.
            number = numbers[batches[-1]]
            mine, start = clicks.where(F.col("batch_id").isin(*batches)), time.monotonic()
            append = partial(_append, table, number, str(version))
            persistently(partial(scorer.surviving, mine, append), partial(warn, console), BatchError, STREAM_LIMIT_S)
            counted = table.read(spark).where(F.col("batch_id").isin(*batches))
            [(count, fresh)] = counted.agg(F.count(F.lit(1)), F.count(NEW)).collect()
            key = scorer.model.key
            lines.report(Report(number, count, fresh, count - fresh, 1, time.monotonic() - start, None, *key))
    console.print(f"{lines.summary(time.monotonic() - began)} {table.name} has them.", highlight=False, markup=False)


def _append(table: Table, number: int, version: str, rows: DataFrame) -> None:
    table.append_once(rows, f"clickscore-rescore-{version}", number, {"rescore": number})
