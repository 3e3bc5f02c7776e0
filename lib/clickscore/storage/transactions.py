"""What a table says of its commits: the newest micro-batch of a stream, transactions of an app, and their run."""

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from clickscore.storage.table import Table
from clickscore.storage.table_files import newest_snapshot

RUN = "run"
"""What a commit calls the run that has made it."""
HISTORY_PAGE = 50
"""Commits looked at first for the stream's newest one; behind it can only be maintenance and other writers."""


def newest_transaction(spark: SparkSession, table: Table, app: str) -> int | None:
    """Return the newest transaction of an app; an append with its number, or a lower one, changes nothing.

    It stays in the table when the history and the rows are gone.

    Args:
        spark: the session.
        table: the table.
        app: whose transactions these are.

    Returns:
        Its number, 0 where there is none; None where Delta is not the one of the open project, whose classes are asked.
    """
    if (snapshot := newest_snapshot(spark, table)) is None:
        return None
    found = snapshot.transactions().get(app)
    return int(found.get()) if found.isDefined() else 0


def last_batch(spark: SparkSession, table: Table, stream: str) -> int:
    """Return the last micro-batch that a stream has appended, as far as the history tells, or -1."""
    of_batch = F.get_json_object("userMetadata", "$.batch").cast("bigint").alias("batch")
    for history in (table.delta(spark).history(HISTORY_PAGE), table.delta(spark).history()):
        # Collected and not summed up: Spark does that without a job, as the history is here already.
        batches = [row.batch for row in history.where(_is_of(stream)).select(of_batch).collect()]
        if known := [int(batch) for batch in batches if batch is not None]:
            return max(known)
    return -1


def run_of(spark: SparkSession, table: Table, stream: str, batch_id: int) -> str | None:
    """Return the run that has committed what a batch has for a table, as far as the history tells."""
    is_mine = _is_of(stream) & (F.get_json_object("userMetadata", "$.batch").cast("bigint") == batch_id)
    run = F.get_json_object("userMetadata", f"$.{RUN}")
    for history in (table.delta(spark).history(HISTORY_PAGE), table.delta(spark).history()):
        if newest := history.where(is_mine).orderBy(F.desc("version")).select(run).first():
            return None if newest[0] is None else str(newest[0])
    return None


def _is_of(stream: str) -> Column:
    return F.get_json_object("userMetadata", "$.stream") == stream
