"""Delta's transactions of an app: which one of them is the newest, and which run has made it."""

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.storage.table import HISTORY_PAGE, Table
from clickscore.storage.table_files import newest_snapshot

RUN = "run"
"""What a commit calls the run that has made it."""


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


def run_of(spark: SparkSession, table: Table, stream: str, batch_id: int) -> str | None:
    """Return the run that has committed what a batch has for a table, as far as the history tells."""
    is_mine = (F.get_json_object("userMetadata", "$.stream") == stream) & (
        F.get_json_object("userMetadata", "$.batch").cast("bigint") == batch_id
    )
    run = F.get_json_object("userMetadata", f"$.{RUN}")
    for history in (table.delta(spark).history(HISTORY_PAGE), table.delta(spark).history()):
        if newest := history.where(is_mine).orderBy(F.desc("version")).select(run).first():
            return None if newest[0] is None else str(newest[0])
    return None
