"""Offsets of the broker and of the checkpoint."""

from collections.abc import Callable
from typing import Any

from confluent_kafka import TopicPartition
from pyspark.sql import SparkSession

from clickscore.sources.kafka_admin import read_retention, read_topic_state
from clickscore.storage.offset_log import planned_offsets


def test_broker_tells_ids_and_offsets_of_its_topics(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    topic.make(2)
    topic.send(*(make_click(number) for number in range(5)), partition=1)
    topic.broker.admin.delete_records([TopicPartition(topic.name, 1, 2)])[TopicPartition(topic.name, 1, 2)].result()
    state = read_topic_state(spark, kafka_shop.config.source)
    assert state.earliest == {(topic.name, 0): 0, (topic.name, 1): 2}
    assert state.latest == {(topic.name, 0): 0, (topic.name, 1): 5}
    assert list(state.ids) == [topic.name]


def test_broker_tells_how_long_its_topics_keep_a_record(spark: SparkSession, kafka_shop: Any, topic: Any) -> None:
    topic.make(1, **{"retention.ms": "86400000"})
    assert read_retention(spark, kafka_shop.config.source) == {topic.name: 86_400_000}


def test_compacted_topic_keeps_the_newest_record_of_a_key_for_good(
    spark: SparkSession, kafka_shop: Any, topic: Any
) -> None:
    topic.make(1, **{"retention.ms": "86400000", "cleanup.policy": "compact"})
    assert read_retention(spark, kafka_shop.config.source) == {topic.name: None}


def test_checkpoint_tells_where_a_micro_batch_was_planned_to_end(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    topic.make(2)
    topic.send(make_click(1), make_click(2), partition=1)
    kafka_shop.run(spark)
    checkpoint = str(kafka_shop.home / "checkpoint")
    assert planned_offsets(spark, checkpoint, 0) == {(topic.name, 0): 0, (topic.name, 1): 2}
    assert planned_offsets(spark, checkpoint, 7) == {}
    assert planned_offsets(spark, checkpoint, -1) == {(topic.name, 0): 0, (topic.name, 1): 0}  # Where it began.
    assert planned_offsets(spark, str(kafka_shop.home / "nothing"), -1) == {}
