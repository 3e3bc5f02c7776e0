"""Maintenance of the tables, outside the path of the stream: compaction, and deletion of old files."""

from collections.abc import Callable, Iterator
from functools import partial

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.run import Config
from clickscore.console import warn
from clickscore.errors import TableError, gist
from clickscore.retries import retrying
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.table import Table

CONFLICT_LIMIT_S = 300.0
"""How long to try again what another writer has disturbed; the appends of the stream do not."""
NAME_WIDTH = 16


def run(config: Config, make_session: Callable[[], SparkSession], console: Console, retain_hours: float) -> None:
    """Compact and vacuum all tables of a run that exist; rows stay as they are.

    Args:
        config: the run.
        make_session: builds the session.
        console: where the outcome goes.
        retain_hours: files that no version of the last so many hours needs are deleted.

    Raises:
        TableError: if Delta refuses, for instance hours that are fewer than its own safety limit.
    """
    spark = make_session()
    patiently = retrying(partial(warn, console), CONFLICT_LIMIT_S)
    for table in tables(config):
        if not table.exists(spark):
            continue
        try:
            many, few = patiently(compact, spark, table)
            count = patiently(vacuum, spark, table, retain_hours)
        except SPARK_ERRORS as error:
            raise TableError(f"{table.name} cannot be maintained: {gist(error)}") from error
        name = table.name.rpartition("/")[2]
        deleted = "old ones deleted" if count is None else f"{count:,} old ones deleted"
        done = f"{name:<{NAME_WIDTH}} {many:,} files became {few:,}, {deleted}"
        console.print(done, highlight=False, markup=False, soft_wrap=True)


def tables(config: Config) -> Iterator[Table]:
    """Yield all tables that a run may have."""
    scored = Table(config.output.scored)
    yield scored.beside("erasures")
    yield from (scored, Table(config.output.rejected), scored.beside("model_timeline"), scored.beside("source_gaps"))
    yield scored.beside("backfills")


def compact(spark: SparkSession, table: Table) -> tuple[int, int]:
    """Write rows of small files into large ones, by the table's clustering; return how many there were, and are."""
    metrics = table.delta(spark).optimize().executeCompaction().collect()[0].metrics
    return metrics.numFilesRemoved, metrics.numFilesAdded


def vacuum(spark: SparkSession, table: Table, retain_hours: float | None) -> int | None:
    """Delete files that only older versions need; return how many, where Delta writes that down.

    Args:
        spark: the session.
        table: the table.
        retain_hours: files that no version of the last so many hours needs go; None is what the table says.
    """
    before = table.delta(spark).history(1).select("version").collect()[0][0]
    table.delta(spark).vacuum(retain_hours)
    # The stream may have appended meanwhile.
    mine = (F.col("version") > before) & (F.col("operation") == "VACUUM END")
    counts = table.delta(spark).history().where(mine).select("operationMetrics.numDeletedFiles").collect()
    return int(counts[0][0]) if counts else None
