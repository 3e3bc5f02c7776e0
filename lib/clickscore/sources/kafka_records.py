"""Records that Spark cannot read for their time: the driver reads them, with Kafka's own client, and without the time.

A producer may give a record any 64-bit number as its time, in milliseconds. Spark counts microseconds, and its reader
fails on one that overflows, such as a time in nanoseconds, whatever columns are asked for.
"""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from clickscore.config.source import KafkaSource
from clickscore.errors import SourceUnavailableError
from clickscore.sources.gaps import source_name
from clickscore.sources.kafka_consumer import consumer_properties
from clickscore.sources.records import LAST_MS
from clickscore.storage import schemas
from clickscore.storage.offset_log import Partition

MOST_MS = (2**63 - 1) // 1_000
"""Latest time that Spark can hold, in milliseconds since 1970."""

POLL_MS = 1_000
PATIENCE_S = 60
"""How long the broker may bring nothing."""

_BYTES = "org.apache.kafka.common.serialization.ByteArrayDeserializer"
_RECORD = re.compile(
    r"ConsumerRecord\(topic = [\w.-]+, partition = \d+, leaderEpoch = \w+, offset = (?P<offset>\d+), "
    r"\w+ = (?P<time_ms>-?\d+),"
)
"""How Kafka's client prints a record; it prints a whole list of them in one call, keys and values as no more than an
address."""

Spans = dict[Partition, tuple[int, int]]
"""First offset of a partition, and the one behind the last."""


def spans_beyond_time(spark: SparkSession, source: KafkaSource, bounds: Mapping[Partition, tuple[int, int]]) -> Spans:
    """Return, for each partition with a record whose time Spark cannot hold, the span from the first to the last."""
    spans: Spans = {}
    for partition, bound in bounds.items():
        pages = _pages(spark, source, partition, bound)
        offsets = [offset for page in pages for offset in offsets_beyond_time(page.toString())]
        if offsets := [offset for offset in offsets if bound[0] <= offset < bound[1]]:
            spans[partition] = (min(offsets), max(offsets) + 1)
    return spans


def offsets_beyond_time(printed: str) -> list[int]:
    """Return the offsets of records whose time Spark cannot hold, of records as Kafka's client prints them."""
    return [int(found["offset"]) for found in _RECORD.finditer(printed) if abs(int(found["time_ms"])) > MOST_MS]


def read_spans(spark: SparkSession, source: KafkaSource, spans: Spans) -> DataFrame:
    """Read spans of partitions; columns as in ``schemas.raw``, with null as a time that nobody can hold."""
    rows = [
        _row(record, source)
        for partition, bound in spans.items()
        for page in _pages(spark, source, partition, bound)
        for record in page
        if record.offset() < bound[1]
    ]
    return spark.createDataFrame(rows, schemas.raw([schemas.KEPT[name] for name in source.keep]))


def _row(record: Any, source: KafkaSource) -> tuple[object, ...]:
    time_ms = record.timestamp()
    return (
        record.value(),
        source_name((record.topic(), record.partition())),
        record.offset(),
        *[record.key() if name == "key" else _headers(record) for name in source.keep],
        datetime.fromtimestamp(time_ms / 1_000, timezone.utc) if 0 <= time_ms <= LAST_MS else None,
    )


def _headers(record: Any) -> list[tuple[str, bytes | None]] | None:
    # Where there are none, Spark's own reader has null.
    return [(header.key(), header.value()) for header in record.headers().toArray()] or None


def _pages(spark: SparkSession, source: KafkaSource, partition: Partition, bound: tuple[int, int]) -> Iterator[Any]:
    """Yield lists of records of a partition, from an offset until another one is reached."""
    jvm: Any = spark.sparkContext._jvm
    place = jvm.org.apache.kafka.common.TopicPartition(*partition)
    with _consumer(jvm, source) as consumer:
        consumer.assign(jvm.java.util.Collections.singletonList(place))
        consumer.seek(place, bound[0])
        heard = time.monotonic()
        while (position := consumer.position(place)) < bound[1]:
            page = consumer.poll(jvm.java.time.Duration.ofMillis(POLL_MS)).records(place)
            if consumer.position(place) > position:
                heard = time.monotonic()
            elif time.monotonic() - heard > PATIENCE_S:
                raise SourceUnavailableError(
                    f"source: {source_name(partition)} returned no record from offset {position:,} on within "
                    f"{PATIENCE_S} s. Look at the broker."
                )
            yield page


@contextmanager
def _consumer(jvm: Any, source: KafkaSource) -> Iterator[Any]:
    properties = jvm.java.util.HashMap()
    settings = {"key.deserializer": _BYTES, "value.deserializer": _BYTES, "enable.auto.commit": "false"}
    for name, value in {**consumer_properties(source), **settings}.items():
        properties[name] = str(value)
    consumer = jvm.org.apache.kafka.clients.consumer.KafkaConsumer(properties)
    try:
        yield consumer
    finally:
        consumer.close()
