"""Maintenance of the tables, outside the path of the stream: compaction, and deletion of old files and commits."""

import time
from collections.abc import Callable, Iterator
from functools import partial

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.filesize import decimal
from tenacity import Retrying

from clickscore.config.run import Config
from clickscore.console import counted, warn
from clickscore.errors import TableError, gist
from clickscore.retries import retrying
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage import model_decisions, stream_metrics, table_log
from clickscore.storage.commit_settings import commit_settings
from clickscore.storage.table import LOG_PROPERTY, Table
from clickscore.storage.table_files import TableFiles, measure

CONFLICT_LIMIT_S = 300.0
"""How long to try again what another writer has disturbed; the appends of the stream do not."""
NAME_WIDTH = 16
SMALL_BYTES = 128 * 1024**2
"""Files below it are written anew, together. Delta's own limit is 1 GB, with which each night would write all nights
before it once more, until they are that large together."""
COMMIT_BYTES = 1024**3
"""So much of a compaction is committed at a time: what is done stays done, if the job is ended."""
MOST_LISTED = 1_000
"""So many files does Delta list that VACUUM would delete, at most."""
MANY_COMMITS = 10_000
"""A log of so many is worth a hint: a local disk takes half a second to list it, at each append."""
_SETTINGS = {
    "spark.databricks.delta.optimize.minFileSize": str(SMALL_BYTES),
    "spark.databricks.delta.optimize.batchSize": str(COMMIT_BYTES),
}


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, retain_hours: float,
    dry_run: bool = False, time_limit_s: float | None = None,
) -> None:  # fmt: skip
    """Compact and vacuum all tables of a run that exist, and shorten their logs; rows stay as they are.

    Args:
        config: the run.
        make_session: builds the session.
        console: where the outcome goes.
        retain_hours: files that no version of the last so many hours needs are deleted.
        dry_run: say what would be done, and change nothing.
        time_limit_s: no table is begun after so many seconds; None takes all.

    Raises:
        TableError: if Delta refuses, for instance hours that are fewer than its own safety limit.
    """
    spark = make_session()
    began, left = time.monotonic(), []
    patiently = retrying(partial(warn, console), CONFLICT_LIMIT_S)
    for table in tables(config):
        if not table.exists(spark):
            continue
        name = table.name.rpartition("/")[2]
        if time_limit_s is not None and time.monotonic() - began > time_limit_s:
            left.append(name)
            continue
        try:
            done = _plan(spark, table, retain_hours) if dry_run else _maintain(spark, table, retain_hours, patiently)
        except SPARK_ERRORS as error:
            raise TableError(f"{table.name} cannot be maintained: {gist(error)}") from error
        console.print(f"{name:<{NAME_WIDTH}} {done}", highlight=False, markup=False, soft_wrap=True)
    if left:
        warn(console, f"the time limit has passed: {', '.join(left)} stay as they are. Raise --time-limit, or let the "
             f"job run more often, so that it finds less to do")  # fmt: skip


def tables(config: Config) -> Iterator[Table]:
    """Yield all tables that a run may have."""
    scored = Table(config.output.scored)
    yield scored.beside("erasures")
    yield from (scored, Table(config.output.rejected), scored.beside("model_timeline"), scored.beside("source_gaps"))
    yield from (scored.beside("backfills"), scored.beside(stream_metrics.NAME), scored.beside("outcomes"))
    yield scored.beside(model_decisions.NAME)


def compact(spark: SparkSession, table: Table) -> tuple[int, int]:
    """Write rows of small files into large ones, by the table's clustering; return how many there were, and are."""
    with commit_settings(spark, _SETTINGS):
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


def _maintain(spark: SparkSession, table: Table, retain_hours: float, patiently: Retrying) -> str:
    began = time.monotonic()
    many, few = patiently(compact, spark, table)
    count = patiently(vacuum, spark, table, retain_hours)
    deleted = "old ones deleted" if count is None else f"{counted(count, 'old one')} deleted"
    log = _log(table_log.trim(spark, table))
    size = _size(spark, table)
    return f"{counted(many, 'file')} became {few:,}, {deleted}, {size}{log}{time.monotonic() - began:.0f} s"


def _log(commits: table_log.Trimmed | None) -> str:
    """Say how many commits a log has, and how many were removed."""
    if commits is None:
        return ""
    removed = commits.before - commits.now
    done = f" after {removed:,} were removed" if removed else ""
    many = f" (an append may list them all; {LOG_PROPERTY} says how long they stay)"
    hint = many if commits.now > MANY_COMMITS else ""
    return f"{counted(commits.now, 'commit')} in the log{done}{hint}, "


def _size(spark: SparkSession, table: Table) -> str:
    files = measure(spark, table, SMALL_BYTES)
    return f"{counted(files.files, 'file')} with {decimal(files.bytes)} now, " if files else ""


def _plan(spark: SparkSession, table: Table, retain_hours: float) -> str:
    commits, kept = table_log.count_commits(spark, table), table_log.kept(spark, table)
    log = f"; {counted(commits, 'commit')} in the log, those older than {kept} would be removed" if commits else ""
    old = spark.sql(f"VACUUM {table.sql_name} RETAIN {retain_hours} HOURS DRY RUN").count()
    files = measure(spark, table, SMALL_BYTES)
    advice = f"{_advice(files)}; " if files else ""
    return f"{advice}{old:,}{' or more' if old == MOST_LISTED else ''} old ones would be deleted{log}"


def _advice(files: TableFiles) -> str:
    """Say what a compaction would do to the files of a table, and why."""
    small = f"{files.small:,} of {files.files:,} files are below {decimal(SMALL_BYTES)}"
    if files.small <= 1:
        return f"{small}, there is nothing to compact"
    return f"{small}, with {decimal(files.small_bytes)} of {decimal(files.bytes)}, and would be compacted"
