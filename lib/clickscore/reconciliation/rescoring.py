"""Rejected records are scored again: which of them are open, and their outcomes today."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.storage.schemas import LINEAGE, REPLAY_ID, SOURCE_TIME, Layout
from clickscore.stream import pipeline, raw_column
from clickscore.stream.pipeline import DETAIL, REASON, Stamp

RECORD = ("raw", "reason", "detail", "source", "source_offset", "received_at", "batch_id")
"""What tells rejected records apart; rows that agree in all of it are copies, and share one verdict."""
WAS, COPIES = "_was", "_copies"


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
    if REPLAY_ID in rejected.columns:
        wanted &= F.col(REPLAY_ID).isNull()
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
    names = [field.name for field in kept]
    return (
        records.groupBy(*RECORD)
        .agg(F.count(F.lit(1)).alias(COPIES), *[F.first(name).alias(name) for name in names])
        .select(
            raw_column.raw_bytes().alias("value"),
            *[field.name for field in LINEAGE],
            *names,
            F.lit(None).cast(SOURCE_TIME.dataType).alias(SOURCE_TIME.name),
            F.struct(*RECORD).alias(WAS),
            COPIES,
        )
    )


def changes(verdicts: DataFrame) -> DataFrame:
    """Return what is to be changed in ``rejected_clicks``: ``_was``, and the new ``raw``, ``reason`` and ``detail``.

    Reason and detail are null for a record that passes. One that fails again for just the same reason is not among
    them. How ``raw`` is written may depend on the reason.
    """
    detail = raw_column.raw_detail(REASON, DETAIL)
    is_same = F.struct(REASON, detail).eqNullSafe(F.struct(*[F.col(WAS)[name] for name in ("reason", "detail")]))
    return verdicts.where(~is_same).select(
        WAS, raw_column.raw_text(REASON).alias("raw"), F.col(REASON).alias("reason"), detail.alias("detail")
    )


def resolved(verdicts: DataFrame, marked: DataFrame, layout: Layout, stamp: Stamp) -> DataFrame:
    """Return one row of ``scored_clicks`` for each record that is marked and has passed.

    Args:
        verdicts: from ``as_raw`` and ``pipeline.with_outcomes``.
        marked: rows of ``rejected_clicks``, copies included.
        layout: the columns of the tables.
        stamp: what all rows have in common.
    """
    passed = verdicts.where(f"{REASON} IS NULL")
    both = passed.join(marked.select(F.struct(*RECORD).alias("_marked")), F.col(WAS).eqNullSafe(F.col("_marked")))
    return pipeline.scored(both, layout, stamp)


def tally(verdicts: DataFrame) -> DataFrame:
    """Count the records by ``was STRING``, the reason so far, and ``becomes STRING``, the new one; null passes."""
    return verdicts.groupBy(F.col(WAS)["reason"].alias("was"), F.col(REASON).alias("becomes")).agg(
        F.sum(COPIES).alias("records")
    )
