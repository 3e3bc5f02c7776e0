"""Clicks that the model fails on: found again among the records of a micro-batch, with their raw form.

The first pass over a micro-batch does not carry the raw records of good clicks along, and asking the model a second
time might give another answer. So who failed is known by what was seen, or by what is missing in the table: the clicks
of the micro-batch without those that were scored, as often as they were not.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window

from clickscore.reasons import SCORING_FAILED
from clickscore.stream.pipeline import Contract, accepted, identity

SEEN = T.StructType([T.StructField("_failed", T.LongType()), T.StructField("_detail", T.StringType())])
"""A click that failed, by its identity, and why; no field of a click begins with an underscore."""
FAILED = T.StructType([T.StructField("_failed", T.LongType()), T.StructField("_details", T.ArrayType(T.StringType()))])
"""The clicks that failed: each identity once, with a detail for each time that it failed."""

UNKNOWN_DETAIL = "the model failed on it; the run that asked it ended before it could write down why"


def failed_as_seen(seen: DataFrame) -> DataFrame:
    """Return the clicks that failed, as ``FAILED``, from rows of ``SEEN``."""
    return seen.groupBy("_failed").agg(F.collect_list("_detail").alias("_details"))


def failed_as_missing(outcomes: DataFrame, scored: DataFrame, contract: Contract) -> DataFrame:
    """Return the clicks of a micro-batch that were accepted, but are not among its rows of ``scored_clicks``."""
    asked = accepted(outcomes).groupBy(identity(contract).alias("_failed")).agg(F.count(F.lit(1)).alias("_asked"))
    answered = scored.groupBy(identity(contract).alias("_failed")).agg(F.count(F.lit(1)).alias("_answered"))
    missing = F.col("_asked") - F.coalesce("_answered", F.lit(0))
    return (
        asked.join(answered, "_failed", "left")
        .withColumn("_missing", missing)
        .where("_missing > 0")
        .select("_failed", F.array_repeat(F.lit(UNKNOWN_DETAIL), F.col("_missing").cast("int")).alias("_details"))
    )


def with_failures(outcomes: DataFrame, failed: DataFrame, contract: Contract) -> DataFrame:
    """Reject the clicks that failed, with the reason ``scoring_failed``; of equal clicks, as many as failed.

    Args:
        outcomes: all records of the micro-batch, with every raw record kept.
        failed: as ``FAILED``.
        contract: what a click is.

    Returns:
        The records that are rejected, for these or for other reasons, and some that equal a failed one.
    """
    is_accepted = F.expr("_rejection IS NULL AND NOT _duplicate")
    turn = Window.partitionBy("_identity", "_accepted").orderBy(F.lit(1))
    numbered = (
        outcomes.withColumn("_accepted", is_accepted)
        .withColumn("_identity", identity(contract))
        .join(F.broadcast(failed), F.col("_identity") == F.col("_failed"), "left")
        # Only these need a number, and only they are shuffled for it.
        .where("_rejection IS NOT NULL OR _failed IS NOT NULL")
        .withColumn("_turn", F.row_number().over(turn))
    )
    has_failed = F.col("_accepted") & (F.col("_turn") <= F.size("_details"))
    detail = F.get("_details", F.col("_turn") - 1)
    rejection = F.struct(F.lit(SCORING_FAILED).alias("reason"), detail.alias("detail"))
    return numbered.withColumn("_rejection", F.when(has_failed, rejection).otherwise(F.col("_rejection"))).drop(
        "_accepted", "_identity", "_turn", "_failed", "_details"
    )
