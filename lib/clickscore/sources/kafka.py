"""Kafka topics as a source: the value of each message is a record, at an offset of a partition."""

import ipaddress
import json
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.source import EARLIEST, LATEST, KafkaSource
from clickscore.console import counted
from clickscore.errors import DataLossError
from clickscore.sources import kafka_records
from clickscore.sources.gap_detection import TopicWatch
from clickscore.sources.gaps import aged_out, describe_loss
from clickscore.sources.kafka_admin import read_topic_state
from clickscore.sources.kafka_consumer import consumer_properties
from clickscore.sources.records import BatchInput, BatchPlan, shortened
from clickscore.storage import schemas
from clickscore.storage.offset_log import Partition, partition_offsets, planned_offsets
from clickscore.storage.table import Table


def check(spark: SparkSession, source: KafkaSource) -> None:
    """Make sure that the broker answers and has the topics.

    Raises:
        SourceUnavailableError: if the broker does not answer.
        SourceError: if it does not let us in, or has no such topic.
    """
    read_topic_state(spark, source)


def check_fields(*_: object) -> None:
    """Do nothing: what is in a record shows when it is read."""


def warnings(source: KafkaSource) -> list[str]:
    """Return what should not stay as it is: records that can be read and changed in transit."""
    if source.security.protocol in ("SSL", "SASL_SSL"):
        return []
    remote = [server for server in source.bootstrap_servers.split(",") if not _is_loopback(server.strip())]
    if not remote:
        return []
    protocol = source.security.protocol
    return [f"source.security.protocol is {protocol}: clicks come unencrypted from {', '.join(remote)}; use SASL_SSL"]


def _is_loopback(server: str) -> bool:
    host = server.rpartition(":")[0].strip("[]") or server
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_stream(
    spark: SparkSession, source: KafkaSource, _unreadable: Collection[str] = (), accept_loss: bool = False
) -> DataFrame:
    """Start reading; columns as in ``schemas.raw``.

    Args:
        spark: the session.
        source: what to read.
        accept_loss: continue where records were lost before they were read, instead of ending the stream.
    """
    options: dict[str, str | int | bool | None] = {
        "maxOffsetsPerTrigger": source.max_records,
        "failOnDataLoss": not accept_loss,
        "includeHeaders": "headers" in source.keep,
        "minPartitions": source.min_partitions,
        **{f"kafka.{name}": value for name, value in consumer_properties(source).items()},
    }
    if source.topics:
        options["subscribe"] = ",".join(source.topics)
    else:
        # Spark would take any topic with the pattern somewhere in its name.
        options["subscribePattern"] = f"^(?:{source.pattern})$"
    if source.start in (EARLIEST, LATEST):
        options["startingOffsets"] = source.start
    else:
        options["startingTimestamp"] = round(datetime.fromisoformat(source.start).timestamp() * 1_000)
        # Where a partition has nothing that young, its next record is the first.
        options["startingOffsetsByTimestampStrategy"] = "latest"
    given = {name: value for name, value in options.items() if value is not None}
    return spark.readStream.format("kafka").options(**given).load().select(*_raw_columns(source))


def _raw_columns(source: KafkaSource) -> list[Column]:
    return [
        F.col("value"),
        F.concat_ws("-", "topic", "partition").alias("source"),
        F.col("offset").alias("source_offset"),
        *[F.col(name).alias(schemas.KEPT[name].name) for name in source.keep],
        # -1 says that there is none.
        F.when(F.col("timestamp") >= F.timestamp_seconds(F.lit(0)), F.col("timestamp")).alias(schemas.SOURCE_TIME.name),
    ]


def read_range(
    spark: SparkSession, source: KafkaSource, bounds: Mapping[Partition, tuple[int, int]], accept_loss: bool = True
) -> DataFrame:
    """Read what the topics hold between two offsets of each partition, once; columns as in ``schemas.raw``."""
    begin, end = (_as_json({p: bound[which] for p, bound in bounds.items()}) for which in (0, 1))
    numbers: dict[str, list[int]] = {}
    for topic, number in sorted(bounds):
        numbers.setdefault(topic, []).append(number)
    options: dict[str, Any] = {
        "assign": json.dumps(numbers), "startingOffsets": begin, "endingOffsets": end,
        "failOnDataLoss": not accept_loss, "includeHeaders": "headers" in source.keep,
        **{f"kafka.{name}": value for name, value in consumer_properties(source).items()},
    }  # fmt: skip
    return spark.read.format("kafka").options(**options).load().select(*_raw_columns(source))


def _as_json(offsets: Mapping[Partition, int]) -> str:
    tree: dict[str, dict[str, int]] = {}
    for (topic, number), offset in offsets.items():
        tree.setdefault(topic, {})[str(number)] = offset
    return json.dumps(tree)


def read_again(
    spark: SparkSession, source: KafkaSource, checkpoint: str, accept_loss: bool, batch_id: int
) -> DataFrame | None:
    """Read the records of a micro-batch past times that Spark cannot hold, which become null; None if none has one.

    Raises:
        DataLossError: if records of it are gone, unless that is accepted.
    """
    begin, end = (planned_offsets(spark, checkpoint, batch) for batch in (batch_id - 1, batch_id))
    if missing := end.keys() - begin.keys():  # partitions that have come since
        earliest = read_topic_state(spark, source).earliest
        begin = {**begin, **{partition: earliest.get(partition, 0) for partition in missing}}
    bounds = {partition: (begin[partition], upto) for partition, upto in end.items() if begin[partition] < upto}
    records = read_past_times(spark, source, bounds, accept_loss)
    if records is not None and not accept_loss:  # what the driver reads is here, and nothing has told it what is gone
        topics = read_topic_state(spark, source)
        if gaps := [
            gap for p in sorted(bounds.keys() & topics.earliest.keys()) for gap in aged_out(p, *bounds[p], topics)
        ]:
            raise DataLossError(describe_loss(gaps))
    return records


def read_past_times(
    spark: SparkSession, source: KafkaSource, bounds: Mapping[Partition, tuple[int, int]], accept_loss: bool = True
) -> DataFrame | None:
    """Read as ``read_range`` does, with null for times that Spark cannot hold; None if no record has one."""
    spans = kafka_records.spans_beyond_time(spark, source, bounds)
    if not spans:
        return None
    before = {p: (first, spans[p][0] if p in spans else upto) for p, (first, upto) in bounds.items()}
    behind = {p: (after, bounds[p][1]) for p, (_, after) in spans.items()}
    rests = [{p: bound for p, bound in rest.items() if bound[0] < bound[1]} for rest in (before, behind)]
    parts = [read_range(spark, source, rest, accept_loss) for rest in rests if rest]
    return reduce(DataFrame.unionByName, parts, kafka_records.read_spans(spark, source, spans))


def watch_gaps(spark: SparkSession, source: KafkaSource, checkpoint: str, scored: Table, rejected: Table) -> TopicWatch:
    """Return what compares the offsets of the checkpoint with those of the broker."""
    return TopicWatch(spark, source, checkpoint, scored, rejected)


def files_ahead(*_: object) -> None:
    """Return nothing: topics have no files."""


def lost_files(*_: object) -> list[str]:
    """Return nothing: topics have no files."""
    return []


def plan_of(spark: SparkSession, _source: KafkaSource, checkpoint: str, batch_id: int) -> BatchPlan:
    """Return the offsets that a micro-batch was planned to read."""
    spans = _planned_spans(spark, checkpoint, batch_id)
    named = [f"{topic}-{number} {first:,} to {upto - 1:,}" for (topic, number), (first, upto) in spans.items()]
    count = sum(upto - first for first, upto in spans.values())
    return BatchPlan(
        f"{counted(count, 'record')}, at these offsets: {shortened(named)}",
        "delete these records from the topics (kafka-delete-records.sh), and start with --accept-loss, which writes "
        "the gap to the table source_gaps",
    )


def inputs_of(spark: SparkSession, source: KafkaSource, checkpoint: str, batch_id: int) -> list[BatchInput]:
    """Return the first and the last offset of each partition, by topic."""
    offsets: dict[str, dict[str, list[int]]] = {}
    for (topic, number), (first, upto) in _planned_spans(spark, checkpoint, batch_id).items():
        offsets.setdefault(topic, {})[str(number)] = [first, upto - 1]
    broker = f"kafka://{source.bootstrap_servers.split(',')[0].strip()}"
    return [BatchInput(broker, {"offsets": of}, topic) for topic, of in offsets.items()]


def _planned_spans(spark: SparkSession, checkpoint: str, batch_id: int) -> dict[Partition, tuple[int, int]]:
    """Return the first offset of each partition that a micro-batch was planned to read, and the one behind the last."""
    begin, end = (planned_offsets(spark, checkpoint, batch) for batch in (batch_id - 1, batch_id))
    return {part: (begin.get(part, 0), upto) for part, upto in sorted(end.items()) if begin.get(part, 0) < upto}


def has_taken(*_: object) -> bool:
    """Return false: topics have no files."""
    return False


def reported_ends(progress: Mapping[str, Any]) -> tuple[dict[Partition, int], dict[Partition, int]]:
    """Return where a trigger ended, and where the topics ended when it began, by partition."""
    return partition_offsets(progress["endOffset"]), partition_offsets(progress["latestOffset"])


def unread_since(*_: object) -> None:
    """Return nothing: how far the topics are is in each report, see ``reported_ends``."""
