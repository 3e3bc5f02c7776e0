"""The offsets of Kafka topics that micro-batches were planned to read, and why an offset may have no row."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.source import KafkaSource
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.discrepancies import Holdings, settle, settle_duplicates
from clickscore.reconciliation.record_keys import ClickId, of_offsets, of_records
from clickscore.sources.gaps import RECREATED, TRUNCATED, Topics, source_name
from clickscore.sources.kafka import read_past_times, read_range
from clickscore.spark_errors import SPARK_ERRORS, is_time_overflow
from clickscore.storage.offset_log import Partition, partition_offsets
from clickscore.storage.schemas import VALUE

CHUNK = 100_000
"""Offsets that are counted at a time: a list of them is made in memory, whatever the length of a range."""
BEYOND = 2**63 - 1
NEVER = -(2**63)
"""Micro-batch of a reset that never was; chunks of backfills have negative numbers."""

Offsets = Mapping[Partition, int]


class Span(NamedTuple):
    """The offsets that a micro-batch was planned to read of a partition; ``end`` is behind the last one."""

    source: str
    batch_id: int
    begin: int
    end: int


def find_spans(start: Offsets, batches: Range) -> list[Span]:
    """Return what each micro-batch was planned to read; those whose plan is forgotten are one with the next.

    Args:
        start: where the stream began.
        batches: the micro-batches.
    """
    begin = dict(partition_offsets(batches.begin({})) if batches.first else start)
    spans = []
    for batch_id in sorted(batch for batch in batches.log if batch >= batches.first):
        for partition, end in sorted(partition_offsets(batches.log[batch_id].end).items()):
            # A partition that has come since is read from its beginning.
            spans.append(Span(source_name(partition), batch_id, begin.get(partition, 0), end))
            begin[partition] = end
    return spans


def hold_offsets(spark: SparkSession, spans: Iterable[Span]) -> Holdings:
    """Return what the topics held, if each offset was a record."""
    schema = "source STRING, batch_id BIGINT, begin BIGINT, end BIGINT"
    planned = spark.createDataFrame([span for span in spans if span.begin < span.end], schema)
    last = F.col("end") - 1
    chunks = planned.withColumn("chunk", F.explode(F.sequence("begin", last, F.lit(CHUNK)))).repartition("chunk")
    upto = F.least(F.col("chunk") + F.lit(CHUNK - 1), last)
    offsets = chunks.select("source", "batch_id", F.explode(F.sequence("chunk", upto)).alias("source_offset"))
    sums = of_offsets(offsets).groupBy("source", "batch_id")
    parts = sums.agg(F.count("key").alias("records"), F.sum("key").alias("held_sum"))
    never = {"is_gone": F.lit(False), "is_rewritten": F.lit(False)}
    return Holdings(
        parts.withColumns(never),
        lambda suspects: of_offsets(offsets.join(suspects, on=["source", "batch_id"], how="left_semi")),
    )


def explain(
    spark: SparkSession, source: KafkaSource, found: DataFrame, gaps: DataFrame | None, topics: Topics,
    known_ids: Mapping[str, str], seen: DataFrame | None, id: ClickId,
) -> DataFrame:  # fmt: skip
    """Tell why offsets have no row: ``missing`` becomes ``accepted``, ``vanished``, ``holes`` or ``duplicates``.

    Args:
        spark: the session.
        source: the topics.
        found: differences; ``label`` is the offset.
        gaps: rows of ``source_gaps``, if there are any.
        topics: what the broker holds now.
        known_ids: ids of the topics that the stream has read.
        seen: keyed rows of both tables, by the id of the click, where the stream passes over duplicates.
        id: the field that tells clicks apart.
    """
    if gaps is not None:
        found = _settle_accepted(found, gaps)
    found = _settle_vanished(spark, found, gaps, topics, known_ids)
    missing = found.where("missing > 0").groupBy("source").agg(F.min("label"), F.max("label")).collect()
    sought = {name: (first, last + 1) for name, first, last in missing}
    bounds = {p: sought[source_name(p)] for p in topics.latest if source_name(p) in sought}
    if not bounds:
        return found
    return _settle_records(found, _read_ids(spark, source, bounds, id), seen)


def _settle_accepted(found: DataFrame, gaps: DataFrame) -> DataFrame:
    lost = gaps.select(
        F.col("source").alias("gap_source"), F.col("batch_id").alias("gap_batch"), F.col("first_offset"),
        F.coalesce("last_offset", F.lit(BEYOND)).alias("last_offset"),
    )  # fmt: skip
    is_in = (F.col("source") == F.col("gap_source")) & (F.col("batch_id") == F.col("gap_batch"))
    is_in &= F.col("label").between(F.col("first_offset"), F.col("last_offset"))
    # Gaps of a micro-batch do not overlap, but one that was written twice must not count twice.
    known = found.join(F.broadcast(lost), on=is_in, how="left_semi").select(
        "source", "batch_id", "key", F.lit(True).alias("is_accepted")
    )
    joined = found.join(known, on=["source", "batch_id", "key"], how="left")
    return settle(joined, "accepted", F.col("is_accepted")).drop("is_accepted")


def _settle_vanished(
    spark: SparkSession, found: DataFrame, gaps: DataFrame | None, topics: Topics, known_ids: Mapping[str, str]
) -> DataFrame:
    """Count offsets as vanished that the topics no longer have: truncated, or of a topic that was recreated since."""
    resets: dict[str, int] = {}
    if gaps is not None:
        cuts = gaps.where(F.col("reason").isin(RECREATED, TRUNCATED)).groupBy("source").agg(F.max("batch_id"))
        resets = dict(map(tuple, cuts.collect()))
    kept = [
        (source_name(p), topics.earliest[p], topics.latest[p], resets.get(source_name(p), NEVER))
        for p in topics.latest
        if known_ids.get(p[0], topics.ids[p[0]]) == topics.ids[p[0]]
    ]
    frame = spark.createDataFrame(kept, "source STRING, earliest BIGINT, latest BIGINT, reset BIGINT")
    joined = found.join(F.broadcast(frame), on="source", how="left")
    is_kept = (F.col("label") >= F.col("earliest")) & (F.col("label") < F.col("latest"))
    is_kept &= F.col("batch_id") >= F.col("reset")
    is_vanished = ~F.coalesce(is_kept, F.lit(False))
    return settle(joined, "vanished", is_vanished).drop("earliest", "latest", "reset")


def _settle_records(found: DataFrame, held: DataFrame, seen: DataFrame | None) -> DataFrame:
    """Look missing offsets up among the records that the topics still hold."""
    joined = settle(found.join(held, on=["source", "label"], how="left"), "holes", F.col("id_key").isNull())
    return settle_duplicates(joined, seen, "id_key") if seen is not None else joined


def _read_ids(
    spark: SparkSession, source: KafkaSource, bounds: Mapping[Partition, tuple[int, int]], id: ClickId
) -> DataFrame:
    """Read what topics hold between two offsets of each partition: ``source``, ``label`` and ``id_key``.

    Where erased visitors are known, ``is_erased`` says whether a record is of one of them.
    """

    def read(records: DataFrame) -> DataFrame:
        keyed = of_records(records.select(VALUE, "source", "source_offset"), id)
        told = [name for name in ("is_erased",) if name in keyed.columns]
        held = keyed.select("source", F.col("source_offset").alias("label"), F.col("key").alias("id_key"), *told)
        return held.localCheckpoint()  # what Spark cannot read shows here

    try:
        return read(read_range(spark, source, bounds))
    except SPARK_ERRORS as error:
        past = read_past_times(spark, source, bounds) if is_time_overflow(error) else None
        if past is None:
            raise
        return read(past)
