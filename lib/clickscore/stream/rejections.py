"""The rejected records of a micro-batch whose scored clicks are committed: those that are not in that table.

That is how they are found when there are too many to come along with the counts, and when a run ended between the two
commits of a micro-batch. To ask the model once more would not do: it might give another answer, and a click would be in
both tables, or in none.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from clickscore.reasons import SCORING_FAILED
from clickscore.storage.batch_rows import BatchRows
from clickscore.storage.schemas import DUPLICATE, Layout, quoted
from clickscore.stream.pipeline import DETAIL, OUTCOME, REASON, identity

UNKNOWN_DETAIL = "the model, or the table, failed on it in a run that ended before it recorded the reason"


def not_scored(outcomes: DataFrame, scored: BatchRows, layout: Layout) -> DataFrame:
    """Return the records that are not among the scored clicks; of equal clicks, as many as are missing there.

    Args:
        outcomes: all records of the micro-batch, from ``ScoreFunction.outcomes``; read several times.
        scored: its rows of ``scored_clicks``. Where these are not all, a click that gets a score this time counts as
            scored: somebody has changed or deleted its row, perhaps for good reasons.
        layout: the columns of the tables.

    Returns:
        The records with ``reason STRING`` and ``detail STRING``; those of a click that got a score this time are
        ``scoring_failed``, with a detail that says so.
    """
    is_click = F.expr(f"{OUTCOME}.{quoted(layout.id)} IS NOT NULL")
    records = outcomes.where(~F.col(DUPLICATE)).withColumn(
        "_identity", F.when(is_click, identity(layout, f"{OUTCOME}."))
    )
    asked = records.where("_identity IS NOT NULL").groupBy(F.col("_identity").alias("_short")).count()
    answered = scored.rows.groupBy(identity(layout).alias("_answered")).agg(F.count(F.lit(1)).alias("_scored"))
    missing = (F.col("count") - F.coalesce("_scored", F.lit(0))).alias("_missing")
    short = asked.join(answered, F.col("_short") == F.col("_answered"), how="left").select("_short", missing)
    # Those that fail once more are the likeliest to have failed before.
    turn = Window.partitionBy("_identity").orderBy(F.col(REASON).isNull())
    failed = (
        records.join(F.broadcast(short.where("_missing > 0")), F.col("_identity") == F.col("_short"), how="inner")
        .withColumn("_turn", F.row_number().over(turn))
        .where("_turn <= _missing")
        .drop("_short", "_missing", "_turn")
    )
    if not scored.is_whole:
        failed = failed.where(F.col(REASON).isNotNull())
    return (
        records.where("_identity IS NULL")
        .unionByName(failed)
        .select(
            "*",
            F.coalesce(REASON, F.lit(SCORING_FAILED)).alias("reason"),
            F.when(F.col(REASON).isNull(), F.lit(UNKNOWN_DETAIL)).otherwise(F.col(DETAIL)).alias("detail"),
        )
    )
