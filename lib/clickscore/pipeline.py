"""The path of a click, from raw record to table row; the same code for a micro-batch and for a batch of history.

Raw records become clicks, clicks get features, features get a score, scored clicks go to the table; whatever cannot
go on leaves with its reason.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.clicks import parse
from clickscore.features import with_features, with_model_input
from clickscore.schemas import LINEAGE
from clickscore.scoring import Predict, Stamp, as_rejected_clicks, as_scored_clicks, with_scores

Decode = Callable[[DataFrame, T.StructType, bool], DataFrame]
"""Raw records, the fields of a click, and whether to keep every raw record, to the columns of ``clicks.parse``."""

IS_REJECTED = "_rejection IS NOT NULL AND NOT _duplicate"
"""A duplicate that would also be rejected counts once, as a duplicate: its first copy is in the table."""


@dataclass(frozen=True)
class Contract:
    """What a click is and what is computed from it.

    Attributes:
        click: the fields of a click.
        id: the field that tells clicks apart.
        time: the field with the event time.
        select: the select list of the features file.
        kept: columns of lineage beyond ``schemas.LINEAGE``.
    """

    click: T.StructType
    id: str
    time: str
    select: str
    kept: tuple[T.StructField, ...] = ()


def with_outcomes(
    raw: DataFrame, contract: Contract, inputs: T.StructType, keep_all: bool = False, decode: Decode = parse
) -> DataFrame:
    """Decode every record and compute the model's inputs; each ends up accepted, rejected or a duplicate."""
    return (
        raw.transform(decode, contract.click, keep_all)
        .transform(with_features, contract.select)
        .transform(with_model_input, inputs)
    )


def scored(outcomes: DataFrame, contract: Contract, predict: Predict, stamp: Stamp) -> DataFrame:
    """Score the accepted clicks; one row of ``scored_clicks`` for each."""
    return (
        outcomes.where("_rejection IS NULL AND NOT _duplicate")
        .transform(with_scores, predict)
        .transform(as_scored_clicks, contract.click, contract.kept, stamp)
    )


def rejected(outcomes: DataFrame, contract: Contract, stamp: Stamp) -> DataFrame:
    """Return one row of ``rejected_clicks`` for each rejected record; needs outcomes with all raw records kept."""
    return outcomes.where(IS_REJECTED).transform(as_rejected_clicks, contract.kept, stamp)


def census(contract: Contract) -> list[Column]:
    """Return the aggregates that a pass over the outcomes counts on its way.

    ``read``, ``duplicates``, ``rejected`` and ``kept`` count all records, the duplicates, the rejected, and those of
    them whose raw record is at hand; ``newest`` and ``arrived`` are the newest event time, and the newest time at which
    the source took a record in, in microseconds since 1970; ``sources`` are the files or partitions that records came
    from; ``rejections`` lists the rejected records that are at hand.
    """
    is_rejected = F.expr(IS_REJECTED)
    at_hand = is_rejected & F.col("_kept")
    lineage = [field.name for field in (*LINEAGE, *contract.kept)]
    rejection = F.struct("_raw", "_rejection.reason", "_rejection.detail", *lineage)
    return [
        F.count(F.lit(1)).alias("read"),
        F.count_if("_duplicate").alias("duplicates"),
        F.count_if(is_rejected).alias("rejected"),
        F.count_if(at_hand).alias("kept"),
        F.max(F.unix_micros(contract.time)).alias("newest"),
        F.max(F.unix_micros("_source_time")).alias("arrived"),
        F.collect_set("source").alias("sources"),
        F.collect_list(F.when(at_hand, rejection)).alias("rejections"),
    ]
