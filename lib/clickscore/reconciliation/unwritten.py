"""Records that never had a row: how many of each micro-batch, as ``stream_metrics`` remembers it.

A copy of a click that was passed over is told by the id of its twin, and a marker of a transaction by its offset. Where
the twin is gone since, or the offset has aged out of its topic, the numbers tell.
"""

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from clickscore.reconciliation.batch_range import Range
from clickscore.storage.table import Table

COUNTS = ("accepted", "duplicates", "holes", "missing", "vanished")


def read_unwritten(
    spark: SparkSession, metrics: Table, batches: Range, floor: int, offsets: Mapping[int, int] | None
) -> DataFrame | None:
    """Return how many records of a micro-batch had no row when it was written.

    Args:
        spark: the session.
        metrics: ``stream_metrics``.
        batches: the micro-batches.
        floor: the first of them; older ones in the range count as of it.
        offsets: how many offsets each was planned to read; None for a source without offsets.

    Returns:
        ``batch_id``; ``copies``, passed over as duplicates; ``others``, offsets that were no record, or were lost.
        Micro-batches of which the table does not know all are left out; None where there is no table.
    """
    if not metrics.exists(spark):
        return None
    mine = metrics.read(spark).where(F.col("batch_id").between(batches.first, batches.last))
    rows = mine.select(
        F.greatest("batch_id", F.lit(floor)).alias("counted_as"), "batch_id",
        (F.col("scored") + F.col("rejected")).alias("written"), F.coalesce("duplicates", F.lit(0)).alias("copies"),
    )  # fmt: skip
    sums = rows.groupBy(F.col("counted_as").alias("batch_id")).agg(
        F.count(F.lit(1)).alias("rows"), F.count_distinct(rows["batch_id"]).alias("batches"),
        F.sum("written").alias("written"), F.sum("copies").alias("copies"),
    )  # fmt: skip
    wanted = F.when(F.col("batch_id") == floor, floor - batches.first + 1).otherwise(1)
    known = sums.where((F.col("rows") == wanted) & (F.col("batches") == wanted))
    if offsets is None:
        return known.select("batch_id", "copies", F.lit(0).cast("bigint").alias("others"))
    planned = spark.createDataFrame([*offsets.items()], "batch_id BIGINT, planned BIGINT")
    others = F.col("planned") - F.col("written") - F.col("copies")
    return known.join(F.broadcast(planned), on="batch_id").select("batch_id", "copies", others.alias("others"))


def settle_unwritten(found: DataFrame, unwritten: DataFrame) -> DataFrame:
    """Count records without a row as holes and duplicates, up to the numbers of their micro-batch.

    Args:
        found: differences, with all that the records themselves tell.
        unwritten: from ``read_unwritten``.
    """
    zero = F.lit(0).cast("bigint")
    counts = {name: F.coalesce(name, zero) if name in found.columns else zero for name in COUNTS}
    joined = found.withColumns(counts).join(F.broadcast(unwritten), on="batch_id", how="left")
    batch = Window.partitionBy("batch_id")
    # What has vanished comes first: a record that is there has more to tell.
    before = batch.orderBy(F.desc("vanished"), "source", "key").rowsBetween(Window.unboundedPreceding, -1)

    def taken(wanted: str, most: str, known: Column) -> Column:
        left = F.coalesce(most, zero) - F.sum(known).over(batch) - F.coalesce(F.sum(wanted).over(before), zero)
        return F.least(wanted, F.greatest(left, zero))

    told = joined.withColumn("_holes", taken("vanished", "others", F.col("accepted") + F.col("holes")))
    told = told.withColumn("_open", F.col("vanished") - F.col("_holes") + F.col("missing"))
    told = told.withColumn("_copies", taken("_open", "copies", F.col("duplicates")))
    of_vanished = F.least(F.col("_copies"), F.col("vanished") - F.col("_holes"))
    return told.withColumns(
        {"vanished": F.col("vanished") - F.col("_holes") - of_vanished,
         "missing": F.col("missing") - (F.col("_copies") - of_vanished),
         "holes": F.col("holes") + F.col("_holes"), "duplicates": F.col("duplicates") + F.col("_copies")}
    ).drop("_holes", "_open", "_copies", "copies", "others")  # fmt: skip
