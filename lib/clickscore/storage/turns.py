"""Turns of a table: of two jobs that read other tables first and commit to this one later, one gets through.

A commit names the turn that follows the newest one it knew before it read. Delta leaves a commit without effect if its
turn, or a later one, was taken before it began, and refuses it if that happens while it is under way: a turn is a
transaction of one app.
"""

import time
from collections.abc import Mapping

from pyspark.sql import SparkSession

from clickscore.storage.table import Table
from clickscore.storage.transactions import newest_transaction

APP = "clickscore-turns"
_TRANSACTION = "spark.databricks.delta.write.txnAppId", "spark.databricks.delta.write.txnVersion"
"""Settings of the session that make the next MERGE of it a transaction."""
_MICROSECONDS_PER_S = 1_000_000


def newest(spark: SparkSession, table: Table) -> int | None:
    """Return the newest turn; None where Delta is not the one of the open project, which turns need."""
    return newest_transaction(spark, table, APP)


def after(turn: int | None) -> Mapping[str, str]:
    """Return the settings with which a MERGE takes the turn after one; it has no row of counts if it came too late."""
    return {} if turn is None else dict(zip(_TRANSACTION, (APP, str(turn + 1)), strict=True))


def take(spark: SparkSession, table: Table) -> None:
    """Take a turn by a commit without rows: who knew only earlier ones cannot commit any more."""
    if (turn := newest(spark, table)) is None:
        return
    # As large as the time, so that no turn of another job that is taken meanwhile is as late.
    late = max(turn + 1, int(time.time() * _MICROSECONDS_PER_S))
    table.append_once(table.read(spark).limit(0), APP, late, {"turn": late})
