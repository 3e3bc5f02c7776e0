"""Rejected clicks are tried once more: which are open, and what today's contract and model make of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.reasons import INVALID_ENCODING, SCORING_FAILED
from clickscore.scoring.features import FEATURES_COLUMN
from clickscore.storage.schemas import LINEAGE, REPLAYED, SOURCE_TIME
from clickscore.stream import pipeline
from clickscore.stream.pipeline import Contract
from clickscore.stream.rows import FAILURE, PREDICTED_COLUMN, Predict, Stamp

RECORD = ("raw", "reason", "detail", "source", "source_offset", "received_at", "batch_id")
"""What tells rejected records apart; rows that agree in all of it are copies, and share one verdict."""
WAS, COPIES = "_was", "_copies"

UNLISTED_DETAIL = "the model failed on it, as on many others"


@dataclass(frozen=True)
class Selection:
    """Which rejected records are meant; without anything, all of them.

    Attributes:
        reasons: codes, any of them.
        since: begin of ``received_at``.
        until: its end, exclusive.
        source: a file, or a topic and its partition; ``*`` stands for any characters, ``?`` for one.
    """

    reasons: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None


def open_records(rejected: DataFrame, selection: Selection) -> DataFrame:
    """Return the rejected records that were chosen, without those that a replay has resolved.

    Args:
        rejected: ``rejected_clicks``; without the columns of ``schemas.REPLAYED`` as long as there was no replay.
        selection: which.
    """
    wanted = F.lit(True)
    if REPLAYED.names[0] in rejected.columns:
        wanted &= F.col("replay_id").isNull()
    if selection.reasons:
        wanted &= F.col("reason").isin(*selection.reasons)
    if selection.since:
        wanted &= F.col("received_at") >= F.lit(selection.since)
    if selection.until:
        wanted &= F.col("received_at") < F.lit(selection.until)
    if selection.source:
        wanted &= F.col("source").like(_as_like(selection.source))
    return rejected.where(wanted)


def _as_like(pattern: str) -> str:
    """Return a pattern of files as SQL writes it."""
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, f"\\{special}")
    return pattern.replace("*", "%").replace("?", "_")


def as_raw(records: DataFrame, kept: Iterable[T.StructField] = ()) -> DataFrame:
    """Return records as a source yields them; copies become one.

    Args:
        records: rows of ``rejected_clicks`` that have a ``raw``.
        kept: columns of lineage beyond ``schemas.LINEAGE``.

    Returns:
        The columns of ``schemas.raw``, with the bytes that came from the source once; then ``_was STRUCT`` with the
        columns ``RECORD``, and ``_copies BIGINT``.
    """
    # Bytes that are no UTF-8 stand in the table as ISO 8859-1.
    latin = F.encode("raw", "ISO-8859-1")
    value = F.when(F.col("reason") == INVALID_ENCODING, latin).otherwise(F.col("raw").cast("binary"))
    names = [field.name for field in kept]
    return (
        records.groupBy(*RECORD)
        .agg(F.count(F.lit(1)).alias(COPIES), *[F.first(name).alias(name) for name in names])
        .select(
            value.alias("value"),
            *[field.name for field in LINEAGE],
            *names,
            F.lit(None).cast(SOURCE_TIME.dataType).alias(SOURCE_TIME.name),
            F.struct(*RECORD).alias(WAS),
            COPIES,
        )
    )


def judged(raw: DataFrame, contract: Contract, inputs: T.StructType, predict: Predict) -> DataFrame:
    """Put records through the contract and ask the model about those that fit it.

    Args:
        raw: from ``as_raw``.
        contract: what a click is.
        inputs: what the model's signature asks for.
        predict: the model.

    Returns:
        One row for each row of ``raw``: the click's fields, the lineage, ``_was``, ``_copies``, ``_predicted``, and
        ``_rejection``, which is null for a click that has got a score.
    """
    outcomes = pipeline.with_outcomes(raw, contract, inputs)
    failure = F.col(PREDICTED_COLUMN)[FAILURE]
    detail = F.when(failure == "", F.lit(UNLISTED_DETAIL)).otherwise(failure)
    rejection = F.when(failure.isNotNull(), F.struct(F.lit(SCORING_FAILED).alias("reason"), detail.alias("detail")))
    asked = pipeline.predicted(outcomes, predict).withColumn("_rejection", rejection)
    others = outcomes.where("_rejection IS NOT NULL")
    return asked.unionByName(others, allowMissingColumns=True).drop(FEATURES_COLUMN)


def changes(verdicts: DataFrame) -> DataFrame:
    """Return what is to be changed in ``rejected_clicks``: ``_was``, and the new ``reason`` and ``detail``.

    Both are null for a record that passes. One that fails again for just the same reason is not among them.
    """
    new = [F.col("_rejection")[name] for name in ("reason", "detail")]
    old = [F.col(WAS)[name] for name in ("reason", "detail")]
    return verdicts.where(~F.struct(*new).eqNullSafe(F.struct(*old))).select(
        WAS, new[0].alias("reason"), new[1].alias("detail")
    )


def resolved(verdicts: DataFrame, marked: DataFrame, contract: Contract, stamp: Stamp) -> DataFrame:
    """Return one row of ``scored_clicks`` for each record that is marked and has passed.

    Args:
        verdicts: from ``judged``.
        marked: rows of ``rejected_clicks``, copies included.
        contract: what a click is.
        stamp: what all rows have in common.
    """
    passed = verdicts.where("_rejection IS NULL")
    both = passed.join(marked.select(F.struct(*RECORD).alias("_marked")), F.col(WAS).eqNullSafe(F.col("_marked")))
    return pipeline.scored(both, contract, stamp)


def tally(verdicts: DataFrame) -> DataFrame:
    """Count the records by ``was STRING``, the reason so far, and ``becomes STRING``, the new one; null passes."""
    return verdicts.groupBy(F.col(WAS)["reason"].alias("was"), F.col("_rejection")["reason"].alias("becomes")).agg(
        F.sum(COPIES).alias("records")
    )
