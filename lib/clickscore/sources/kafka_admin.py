"""What the broker holds: topics, their ids, and the oldest and the next offset of each partition."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from py4j.java_gateway import JavaClass
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from clickscore.config.source import KafkaSource
from clickscore.errors import SourceError, SourceUnavailableError
from clickscore.sources.gaps import Topics
from clickscore.sources.kafka_consumer import consumer_properties
from clickscore.spark_errors import root_cause, transient_cause
from clickscore.storage.offset_log import Partition

_BYTES = "org.apache.kafka.common.serialization.ByteArrayDeserializer"
_NO_DESERIALIZERS = {"key.deserializer": _BYTES, "value.deserializer": _BYTES}
"""Kafka's check of consumer options asks for these two, which Spark sets itself."""

Answer = TypeVar("Answer")

ANSWER_MS = 15_000
"""How long the broker has to answer; Kafka's own minute is long for a person who waits for a typing error."""


def read_topic_state(spark: SparkSession, source: KafkaSource, since_ms: int | None = None) -> Topics:
    """Ask the broker for the topics of the source, their ids, and their oldest and next offsets.

    Args:
        spark: the session.
        source: the topics.
        since_ms: milliseconds since 1970; the oldest offsets are then those of records of this time or later, and the
            next offset where a partition has none.

    Raises:
        SourceUnavailableError: if the broker does not answer.
        SourceError: if it does not let us in, or has no such topic.
    """
    return _asking(spark, source, lambda jvm, admin: _ask(jvm, admin, source, since_ms))


def read_retention(spark: SparkSession, source: KafkaSource) -> dict[str, int | None]:
    """Ask the broker how long the topics of the source keep a record: milliseconds by topic, None for good.

    Raises:
        SourceUnavailableError: if the broker does not answer.
        SourceError: if it does not let us in, or has no such topic.
    """
    return _asking(spark, source, lambda jvm, admin: _ask_retention(jvm, admin, source))


def _asking(spark: SparkSession, source: KafkaSource, ask: Callable[[Any, Any], Answer]) -> Answer:
    """Return what Kafka's own client answers, from the jar that Spark reads with: the same properties and answers."""
    jvm: Any = spark.sparkContext._jvm
    kafka = jvm.org.apache.kafka.clients
    if not isinstance(kafka.admin.AdminClient, JavaClass):
        raise SourceError(
            "source: Kafka's classes are missing. Start with the package org.apache.spark:spark-sql-kafka-0-10 of "
            "your Spark version (spark-submit --packages), or add its jars to the cluster."
        )
    properties = jvm.java.util.HashMap()
    limits = {"default.api.timeout.ms": ANSWER_MS, "request.timeout.ms": ANSWER_MS}
    for name, value in {**_NO_DESERIALIZERS, **limits, **consumer_properties(source)}.items():
        properties[name] = str(value)
    try:
        # The executors' consumers would find a wrong value only after the start.
        kafka.consumer.ConsumerConfig(properties)
        admin = kafka.admin.AdminClient.create(properties)
        try:
            return ask(jvm, admin)
        finally:
            admin.close()
    except Py4JJavaError as error:
        # Kafka's own classes distinguish a wrong name or a refused login from an unreachable broker.
        kind = SourceUnavailableError if transient_cause(error) else SourceError
        raise kind(f"source: {source.bootstrap_servers} cannot be read: {root_cause(error)}.") from None


def _ask(jvm: Any, admin: Any, source: KafkaSource, since_ms: int | None) -> Topics:
    wanted, names = _topics(jvm, admin, source)
    described = admin.describeTopics(wanted).allTopicNames().get()
    ids = {name: described[name].topicId().toString() for name in described}
    partitions = [(name, partition.partition()) for name in described for partition in described[name].partitions()]
    spec = jvm.org.apache.kafka.clients.admin.OffsetSpec
    oldest = spec.earliest() if since_ms is None else spec.forTimestamp(since_ms)
    earliest, latest = (_offsets(jvm, admin, partitions, which) for which in (oldest, spec.latest()))
    # -1 says that no record is that young.
    earliest = {partition: latest[partition] if offset < 0 else offset for partition, offset in earliest.items()}
    return Topics(ids, earliest, latest, frozenset(names))


def _topics(jvm: Any, admin: Any, source: KafkaSource) -> tuple[list[str], list[str]]:
    """Return the topics of the source, and all that the job may see."""
    names = sorted(admin.listTopics().names().get())
    if source.topics:
        wanted = [name for name in names if name in source.topics]
    else:
        # Java's own matching: Spark compiles the pattern with it.
        pattern = jvm.java.util.regex.Pattern.compile(source.pattern)
        wanted = [name for name in names if pattern.matcher(name).matches()]
    missing = sorted(set(source.topics or ()) - set(wanted))
    if missing or not wanted:
        raise SourceError(
            f"source: {source.bootstrap_servers} has no topic {', '.join(missing) or f'like {source.pattern}'}; it has "
            f"{', '.join(names) or 'none that the job may see'}. Create the topic, correct the name, or grant the "
            f"right to describe it."
        )
    return wanted, names


def _ask_retention(jvm: Any, admin: Any, source: KafkaSource) -> dict[str, int | None]:
    resource, kept = jvm.org.apache.kafka.common.config.ConfigResource, {}
    topics = [resource(resource.Type.TOPIC, name) for name in _topics(jvm, admin, source)[0]]
    for topic, settings in admin.describeConfigs(topics).all().get().items():
        kept_ms = int(settings.get("retention.ms").value())
        is_cleared = "delete" in settings.get("cleanup.policy").value()
        kept[topic.name()] = kept_ms if is_cleared and kept_ms >= 0 else None
    return kept


def _offsets(jvm: Any, admin: Any, partitions: Iterable[Partition], which: Any) -> dict[Partition, int]:
    asked = jvm.java.util.HashMap()
    for topic, number in partitions:
        asked[jvm.org.apache.kafka.common.TopicPartition(topic, number)] = which
    answered = admin.listOffsets(asked).all().get()
    return {(partition.topic(), partition.partition()): answered[partition].offset() for partition in answered}
