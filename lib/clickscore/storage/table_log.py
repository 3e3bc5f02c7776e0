"""The log of a Delta table: how long its commits are kept, and their removal.

Each append lists the whole log of its table, where the store cannot list from a name on: a local disk, HDFS, Azure. So
a micro-batch takes longer with every commit in it (https://github.com/delta-io/delta/issues/1191). Delta removes old
commits by itself, a day at a time; a stream makes thousands in a day.
"""

from typing import Any, NamedTuple

from pyspark.sql import SparkSession

from clickscore.storage.table import LOG_PROPERTY, Table
from clickscore.storage.table_files import newest_snapshot

DELTA_RETENTION = "interval 30 days"
"""How long Delta keeps the commits of a table that does not say it."""


class Trimmed(NamedTuple):
    """Commits in the log of a table.

    Attributes:
        before: how many there were.
        now: how many there are.
    """

    before: int
    now: int


def kept(spark: SparkSession, table: Table) -> str:
    """Return how long the log of a table keeps commits, such as ``7 days``."""
    return table.properties(spark).get(LOG_PROPERTY, DELTA_RETENTION).strip().removeprefix("interval").strip()


def trim(spark: SparkSession, table: Table) -> Trimmed | None:
    """Remove the commits that the log no longer keeps and no newer version needs; rows stay as they are.

    Delta does it, to the minute: no version that is younger loses its commits, and without a checkpoint behind them
    none are removed.

    Args:
        spark: the session.
        table: the table.

    Returns:
        How many there were and are; None where Delta is not the one of the open project, whose classes are asked.
    """
    if (snapshot := newest_snapshot(spark, table)) is None:
        return None
    jvm: Any = spark.sparkContext._jvm
    before = _commits(jvm, snapshot)
    nothing, to_the_minute = jvm.scala.Option.empty(), jvm.org.apache.spark.sql.delta.TruncationGranularity.MINUTE()
    snapshot.deltaLog().cleanUpExpiredLogs(snapshot, nothing, nothing, to_the_minute)
    return Trimmed(before, _commits(jvm, snapshot))


def count_commits(spark: SparkSession, table: Table) -> int | None:
    """Return how many commits the log has; None where Delta is not the one of the open project."""
    snapshot = newest_snapshot(spark, table)
    return None if snapshot is None else _commits(spark.sparkContext._jvm, snapshot)


def _commits(jvm: Any, snapshot: Any) -> int:
    history = getattr(jvm.org.apache.spark.sql.delta, "DeltaHistoryManager$").__getattr__("MODULE$")
    return int(snapshot.version()) - int(history.getEarliestDeltaFile(snapshot.deltaLog())) + 1
