"""Kafka topics as a source: the value of each message is a record, at an offset of a partition."""

import ipaddress
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.source import EARLIEST, LATEST, KafkaSource
from clickscore.sources.gap_detection import TopicWatch
from clickscore.sources.kafka_admin import read_topic_state
from clickscore.sources.kafka_consumer import consumer_properties
from clickscore.storage import schemas
from clickscore.storage.offset_log import Partition, partition_offsets
from clickscore.storage.table import Table


def check(spark: SparkSession, source: KafkaSource) -> None:
    """Make sure that the broker answers and has the topics.

    Raises:
        SourceUnavailableError: if the broker does not answer.
        SourceError: if it does not let us in, or has no such topic.
    """
    read_topic_state(spark, source)


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
        F.col("timestamp").alias(schemas.SOURCE_TIME.name),
    ]


def watch_gaps(spark: SparkSession, source: KafkaSource, checkpoint: str, scored: Table, rejected: Table) -> TopicWatch:
    """Return what compares the offsets of the checkpoint with those of the broker."""
    return TopicWatch(spark, source, checkpoint, scored, rejected)


def files_ahead(*_: object) -> None:
    """Return nothing: topics have no files."""


def reported_ends(progress: Mapping[str, Any]) -> tuple[dict[Partition, int], dict[Partition, int]]:
    """Return where a trigger ended, and where the topics ended when it began, by partition."""
    return partition_offsets(progress["endOffset"]), partition_offsets(progress["latestOffset"])


def unread_since(*_: object) -> None:
    """Return nothing: how far the topics are is in each report, see ``reported_ends``."""
