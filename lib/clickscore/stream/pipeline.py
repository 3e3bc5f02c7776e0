"""The path of a click, from raw record to table row; the same code for a micro-batch and for a batch of history.

Raw records become clicks, clicks get features, features get a score, scored clicks go to the table; whatever cannot
go on leaves with its reason.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring.features import with_challenged_visitors, with_challenger_input, with_features, with_model_input
from clickscore.scoring.parsing import parse
from clickscore.storage.schemas import LINEAGE, MICROSECOND_FORMAT, Scores, quoted
from clickscore.stream.rows import (
    CHALLENGER_FAILURE,
    FAILURE,
    PREDICTED_COLUMN,
    Predict,
    Stamp,
    as_rejected_clicks,
    as_scored_clicks,
    with_predictions,
)

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
        visitor: the field that tells visitors apart.
        select: the select list of the features file.
        kept: columns of lineage beyond ``schemas.LINEAGE``.
        scores: the scores that a click gets.
    """

    click: T.StructType
    id: str
    time: str
    visitor: str
    select: str
    kept: tuple[T.StructField, ...] = ()
    scores: Scores = field(default_factory=Scores)


@dataclass(frozen=True)
class Challenge:
    """A challenger at work: what its signature asks for, and the share of visitors that it scores."""

    inputs: T.StructType
    share: float


def with_outcomes(
    raw: DataFrame, contract: Contract, inputs: T.StructType, keep_all: bool = False, decode: Decode = parse,
    challenge: Challenge | None = None,
) -> DataFrame:  # fmt: skip
    """Decode every record and compute the models' inputs; each ends up accepted, rejected or a duplicate."""
    featured = raw.transform(decode, contract.click, keep_all).transform(with_features, contract.select)
    if challenge and challenge.inputs == inputs:
        featured = featured.transform(with_challenged_visitors, contract.visitor, challenge.share)
    elif challenge:
        featured = featured.transform(with_challenger_input, challenge.inputs, contract.visitor, challenge.share)
    return featured.transform(with_model_input, inputs)


def accepted(outcomes: DataFrame) -> DataFrame:
    """Return the clicks that the model is asked about."""
    return outcomes.where("_rejection IS NULL AND NOT _duplicate")


def predicted(outcomes: DataFrame, predict: Predict, is_challenged: bool = False) -> DataFrame:
    """Ask the model about the accepted clicks; adds ``_predicted``, with a score or the reason why there is none."""
    return accepted(outcomes).transform(with_predictions, predict, is_challenged)


def scored(predictions: DataFrame, contract: Contract, stamp: Stamp) -> DataFrame:
    """Return one row of ``scored_clicks`` for each click that has got a score."""
    return predictions.where(F.col(PREDICTED_COLUMN)[FAILURE].isNull()).transform(
        as_scored_clicks, contract.click, contract.kept, contract.scores, stamp
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
    rejection = F.expr(f"struct(_raw, _rejection.reason, _rejection.detail, {', '.join(lineage)})")
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


def identity(contract: Contract) -> Column:
    """Return what tells a click of a micro-batch apart: a hash of its fields and where it came from.

    Two clicks with the same one are the same in everything that the tables keep of them.
    """
    fields = f"struct({', '.join(map(quoted, contract.click.names))})"
    fields_as_json = F.to_json(F.expr(fields), {"timestampFormat": MICROSECOND_FORMAT})
    return F.xxhash64(fields_as_json, *[field.name for field in LINEAGE])


def verdicts(contract: Contract, is_challenged: bool) -> list[Column]:
    """Return the aggregates that a pass over the predictions counts on its way.

    ``failed`` counts the clicks that the model fails on, ``failures`` lists those that come with a reason, as
    ``identity`` and ``detail``. ``challenged``, ``challenger_failed`` and ``challenger_failure`` count the clicks that
    the challenger was asked about, those of them that it failed on, and say why, for one of them.
    """
    failure = F.col(PREDICTED_COLUMN)[FAILURE]
    listed = F.struct(identity(contract).alias("identity"), failure.alias("detail"))
    columns = [
        F.count(failure).alias("failed"),
        F.collect_list(F.when(failure != "", listed)).alias("failures"),
    ]
    if is_challenged:
        challenger_failure = F.col(PREDICTED_COLUMN)[CHALLENGER_FAILURE]
        score = F.col(PREDICTED_COLUMN)["challenger_score"]
        columns += [
            F.count_if(challenger_failure.isNotNull() | score.isNotNull()).alias("challenged"),
            F.count(challenger_failure).alias("challenger_failed"),
            F.max(challenger_failure).alias("challenger_failure"),
        ]
    return columns
