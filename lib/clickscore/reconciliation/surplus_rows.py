"""Rows too many that no comparison of keys sees: of refused records, and of micro-batches that were never planned.

Of a refused record, the tables keep no key: its rows are only counted. A row of a micro-batch that is not done yet is
left out of the comparison, as the stream may be writing it just now; one whose micro-batch nobody has planned is not.
"""

from collections.abc import Iterable
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.reconciliation.discrepancies import PART
from clickscore.reconciliation.erased import REFUSED
from clickscore.reconciliation.expectations import row_source
from clickscore.storage.checkpoint import read_checkpoint
from clickscore.storage.table import Table

_SETTLED = ("duplicates", "accepted", "holes", REFUSED)
"""What a missing record of a visitor who was refused may count as: as the first of these that fits."""


def without_record(parts: DataFrame, refused: DataFrame) -> DataFrame | None:
    """Return parts with the rows of refused records that have no record there; columns as of ``add``, or None.

    Args:
        parts: from ``discrepancies.with_differences``.
        refused: ``source, batch_id, refused_rows``.
    """
    settled = sum((F.col(name) for name in _SETTLED), F.lit(0))
    known = parts.select(*PART, "is_gone", settled.alias("settled"))
    # Nothing is known of the records of a file that is gone, and of a chunk that a backfill is still writing.
    is_looked_at = F.coalesce(~F.col("is_gone"), F.col("batch_id") >= 0)
    surplus = F.col("refused_rows") - F.coalesce("settled", F.lit(0))
    checked = refused.join(known, list(PART), "left").where(is_looked_at)
    found = checked.select(*PART, surplus.alias("surplus")).where("surplus > 0")
    return None if found.isEmpty() else found


def of_no_batch(spark: SparkSession, tables: Iterable[Table], checkpoint: str, last_done: int) -> DataFrame | None:
    """Return parts with the rows of micro-batches that the stream has not planned; columns as of ``add``, or None."""
    ahead = [table.read(spark).where(F.col("batch_id") > last_done).select(*PART) for table in tables]
    rows = (
        reduce(DataFrame.unionByName, ahead)
        .groupBy(row_source().alias("source"), "batch_id")
        .agg(F.count(F.lit(1)).alias("surplus"))
    )
    if not (counts := rows.collect()):
        return None
    # In this order: a stream plans a micro-batch before it writes a row of it.
    last_planned = read_checkpoint(spark, checkpoint).last_planned
    found = [tuple(row) for row in counts if row.batch_id > last_planned]
    return spark.createDataFrame(found, rows.schema) if found else None


def add(parts: DataFrame, surplus: DataFrame | None) -> DataFrame:
    """Count surplus rows as unexplained; a part that was not compared at all is added.

    Args:
        parts: from ``discrepancies.with_differences``.
        surplus: ``source, batch_id, surplus``; None for nothing.
    """
    if surplus is None:
        return parts
    both = parts.join(surplus, list(PART), "full").fillna(0).fillna(False)
    return both.withColumn("unexplained", F.col("unexplained") + F.col("surplus")).drop("surplus")
