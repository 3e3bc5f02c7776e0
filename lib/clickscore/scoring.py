"""Features get a score, and scored clicks and rejections get the shape of their tables."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.features import FEATURES_COLUMN
from clickscore.schemas import rejected_clicks, scored_clicks

Predict = Callable[[Column], Column]
"""The model as a function: the struct of its inputs to a ``DOUBLE``."""


@dataclass(frozen=True)
class Stamp:
    """What all rows of a micro-batch have in common."""

    batch_id: int
    moment: Column
    model_name: str
    model_version: str


def with_scores(clicks: DataFrame, predict: Predict) -> DataFrame:
    """Add ``score DOUBLE``, the prediction for ``_features``; null where the model gives none."""
    return clicks.withColumn("score", predict(F.col(FEATURES_COLUMN)))


def as_scored_clicks(clicks: DataFrame, click: T.StructType, kept: Iterable[T.StructField], stamp: Stamp) -> DataFrame:
    """Select the columns of ``scored_clicks`` in their order."""
    return clicks.withColumns(
        {
            "model_name": F.lit(stamp.model_name),
            "model_version": F.lit(stamp.model_version),
            "scored_at": stamp.moment,
            "batch_id": F.lit(stamp.batch_id).cast("bigint"),
        }
    ).select(*scored_clicks(click, kept).names)


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
