"""The path of a click, from raw record to table row; the same code for a micro-batch and for a batch of history.

Raw records become clicks, clicks get features, features get a score, scored clicks go to the table; whatever cannot
go on leaves with its reason.
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.clicks import parse
from clickscore.features import with_features, with_model_input
from clickscore.scoring import Predict, Stamp, as_rejected_clicks, as_scored_clicks, with_scores


@dataclass(frozen=True)
class Contract:
    """What a click is and what is computed from it.

    Attributes:
        click: the fields of a click.
        time: the field with the event time.
        select: the select list of the features file.
    """

    click: T.StructType
    time: str
    select: str


def with_outcomes(raw: DataFrame, contract: Contract, inputs: T.StructType, keep_all: bool = False) -> DataFrame:
    """Parse every record and compute the model's inputs; each row ends up accepted or with a ``_rejection``."""
    return (
        raw.transform(parse, contract.click, keep_all)
        .transform(with_features, contract.select)
        .transform(with_model_input, inputs)
    )


def scored(outcomes: DataFrame, contract: Contract, predict: Predict, stamp: Stamp) -> DataFrame:
    """Score the accepted clicks; one row of ``scored_clicks`` for each."""
    return (
        outcomes.where("_rejection IS NULL")
        .transform(with_scores, predict)
        .transform(as_scored_clicks, contract.click, stamp)
    )


def rejected(outcomes: DataFrame, stamp: Stamp) -> DataFrame:
    """Return one row of ``rejected_clicks`` for each rejected record; needs outcomes with all raw records kept."""
    return outcomes.transform(as_rejected_clicks, stamp)


def census(contract: Contract) -> list[Column]:
    """Return the aggregates that a pass over the outcomes counts on its way.

    ``read``, ``rejected`` and ``kept`` count all records, the rejected, and those of them whose raw record is at
    hand; ``newest`` is the newest event time in microseconds since 1970; ``sources`` are the files or partitions that
    records came from; ``rejections`` lists the rejected records that are at hand.
    """
    is_rejected = F.col("_rejection").isNotNull()
    at_hand = is_rejected & F.col("_kept")
    rejection = F.struct("_raw", "_rejection.reason", "_rejection.detail", "source", "source_offset")
    return [
        F.count(F.lit(1)).alias("read"),
        F.count_if(is_rejected).alias("rejected"),
        F.count_if(at_hand).alias("kept"),
        F.max(F.unix_micros(contract.time)).alias("newest"),
        F.collect_set("source").alias("sources"),
        F.collect_list(F.when(at_hand, rejection)).alias("rejections"),
    ]
