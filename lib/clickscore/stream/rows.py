"""Features get a score, and scored clicks and rejections get the shape of their tables."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring.features import CHALLENGER_COLUMN, FEATURES_COLUMN
from clickscore.storage.schemas import Scores, quoted, rejected_clicks, scored_clicks

Predict = Callable[..., Column]
"""The model as a function: the struct of its inputs, and that of the challenger's if there is one, to the struct
``predicted_type``."""

PREDICTED_COLUMN = "_predicted"
FAILURE, CHALLENGER_FAILURE = "_failure", "_challenger_failure"


@dataclass(frozen=True)
class Stamp:
    """What all rows of a micro-batch have in common.

    Attributes:
        batch_id: the micro-batch.
        moment: when it was scored.
        model_name: the champion.
        model_version: its version.
        challenger_version: version of the challenger, as its column says it; None where no challenger is at work.
    """

    batch_id: int
    moment: Column
    model_name: str
    model_version: str
    challenger_version: str | None = None


def predicted_type(columns: Iterable[str], is_challenged: bool) -> T.StructType:
    """Return what a prediction is: the scores, why there are none, and the same for the challenger.

    ``_failure`` is null for a click that was scored.
    """
    fields = [T.StructField(name, T.DoubleType()) for name in columns]
    fields.append(T.StructField(FAILURE, T.StringType()))
    if is_challenged:
        fields.append(T.StructField("challenger_score", T.DoubleType()))
        fields.append(T.StructField(CHALLENGER_FAILURE, T.StringType()))
    return T.StructType(fields)


def with_predictions(clicks: DataFrame, predict: Predict, is_challenged: bool = False) -> DataFrame:
    """Add ``_predicted STRUCT``, the prediction for ``_features`` and ``_challenger_features``."""
    inputs = [FEATURES_COLUMN, CHALLENGER_COLUMN] if is_challenged else [FEATURES_COLUMN]
    return clicks.withColumn(PREDICTED_COLUMN, predict(*map(F.col, inputs)))


def as_scored_clicks(
    clicks: DataFrame, click: T.StructType, kept: Iterable[T.StructField], scores: Scores, stamp: Stamp
) -> DataFrame:
    """Select the columns of ``scored_clicks`` in their order, for the clicks that have a prediction."""
    predicted = F.col(PREDICTED_COLUMN)
    columns = {name: predicted[name] for name in scores.columns}
    if scores.is_challenged:
        at_work = stamp.challenger_version is not None
        score = predicted["challenger_score"] if at_work else F.lit(None).cast("double")
        columns["challenger_score"] = score
        version = F.when(score.isNotNull(), F.lit(stamp.challenger_version)) if at_work else F.lit(None)
        columns["challenger_version"] = version.cast("string")
    columns["model_name"] = F.lit(stamp.model_name)
    columns["model_version"] = F.lit(stamp.model_version)
    columns["scored_at"] = stamp.moment
    columns["batch_id"] = F.lit(stamp.batch_id).cast("bigint")
    return clicks.withColumns(columns).selectExpr(*map(quoted, scored_clicks(click, kept, scores).names))


def as_rejected_clicks(records: DataFrame, kept: Iterable[T.StructField], stamp: Stamp) -> DataFrame:
    """Select the columns of ``rejected_clicks`` in their order."""
    return (
        records.withColumn("raw", F.col("_raw"))
        .withColumn("reason", F.col("_rejection.reason"))
        .withColumn("detail", F.col("_rejection.detail"))
        .withColumn("received_at", stamp.moment)
        .withColumn("batch_id", F.lit(stamp.batch_id).cast("bigint"))
        .select(*rejected_clicks(kept).names)
    )
