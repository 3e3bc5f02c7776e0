"""Kafka as a source, against a real broker."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from clickscore.config.source import KafkaSource
from clickscore.errors import SourceError, SourceUnavailableError
from clickscore.sources import kafka
from clickscore.sources.kinds import check_source

MakeClick = Callable[..., dict[str, Any]]
Offsets = Callable[[Any], dict[str, list[int]]]


def source(**keys: Any) -> KafkaSource:
    return KafkaSource(kind="kafka", bootstrap_servers="127.0.0.1:9092", topics=("clicks",), **keys)


class Scored(NamedTuple):
    """A topic that was scored in one run, what that has printed, and its tables."""

    topic: Any
    said: str
    scored: pd.DataFrame
    rejected: pd.DataFrame

    def of(self, partition: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return what has become of the records of a partition."""
        source = f"{self.topic.name}-{partition}"
        return self.scored[self.scored["source"] == source], self.rejected[self.rejected["source"] == source]


FAULTS, TRANSACTIONS, HUGE, PLAIN, KEYED = range(5)
"""What the partitions of the topic hold."""


@pytest.fixture(scope="module")
def scored(
    spark: SparkSession, new_topic: Callable[[], Any], make_shop: Callable[[Path], Any], make_click: MakeClick,
    tmp_path_factory: pytest.TempPathFactory,
) -> Scored:  # fmt: skip
    """A topic with records of two hours ago, of another kind in each partition."""
    topic, shop = new_topic(), make_shop(tmp_path_factory.mktemp("scored") / "shop")
    at = int(time.time() * 1000) - 7_200_000
    topic.make(5, max_message_bytes="8000000")
    topic.send(None, b"", make_click(1), partition=FAULTS, timestamp=at)
    producer = topic.producer(**{"transactional.id": topic.name})
    producer.init_transactions()
    for number, commit in ((1, True), (2, False), (3, True)):
        producer.begin_transaction()
        topic.put(producer, make_click(number), partition=TRANSACTIONS, timestamp=at)
        producer.flush(30)
        producer.commit_transaction() if commit else producer.abort_transaction()
    huge = make_click(2, padding="x" * 3_000_000)
    topic.send(make_click(1, padding="x" * 1_040_000), huge, partition=HUGE, timestamp=at)
    topic.send(make_click(1), b"rubbish", make_click(2), partition=PLAIN, timestamp=at)
    topic.send(make_click(1), b"rubbish", partition=KEYED, timestamp=at, key=b"k1", headers=[("from", b"shop")])
    shop.set(source={"kind": "kafka", "bootstrap_servers": topic.broker.servers, "topics": [topic.name],
                     "keep": ["key", "headers"]})  # fmt: skip
    said = shop.run(spark)
    return Scored(topic, said, shop.scored, shop.rejected)


def test_click_carries_topic_partition_and_offset(scored: Scored) -> None:
    found, rejected = scored.of(PLAIN)
    assert found[["id", "source", "source_offset"]].values.tolist() == [
        ["c1", f"{scored.topic.name}-3", 0],
        ["c2", f"{scored.topic.name}-3", 2],
    ]
    assert rejected[["reason", "source", "source_offset"]].values.tolist() == [
        ["malformed_json", f"{scored.topic.name}-3", 1]
    ]


def test_tombstone_and_empty_value_are_rejected_with_reasons_of_their_own(scored: Scored) -> None:
    found, rejected = scored.of(FAULTS)
    assert found["id"].tolist() == ["c1"]
    assert rejected[["reason", "source_offset"]].values.tolist() == [["empty_record", 1], ["tombstone", 0]]


def test_key_and_headers_are_kept_on_demand(scored: Scored) -> None:
    for table in scored.of(KEYED):
        assert table["source_key"].tolist() == [b"k1"]
        assert table["source_headers"].tolist()[0].tolist() == [{"key": "from", "value": b"shop"}]
    for table in scored.of(PLAIN):
        assert table["source_key"].isna().all()


def test_seconds_behind_come_from_the_broker(scored: Scored) -> None:
    assert "2 h behind" in scored.said


def test_aborted_transactions_are_not_scored(scored: Scored) -> None:
    found, rejected = scored.of(TRANSACTIONS)
    assert found[["id", "source_offset"]].values.tolist() == [["c1", 0], ["c3", 4]]
    assert rejected.empty


def test_message_of_more_than_a_megabyte_is_scored_and_one_beyond_the_limit_is_kept(scored: Scored) -> None:
    found, rejected = scored.of(HUGE)
    assert found["id"].tolist() == ["c1"]
    assert rejected["reason"].tolist() == ["too_large"]
    assert len(rejected["raw"].iloc[0]) > 3_000_000


def test_backlog_is_read_in_micro_batches_of_limited_size_and_every_offset_once(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick, rows_of_offsets: Offsets
) -> None:
    settings = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    kafka_shop.set(source={**settings, "max_records": 8_000, "min_partitions": 2})
    topic.make()
    producer = topic.producer()
    for partition in range(4):
        topic.put(producer, *(make_click(number) for number in range(5_000)), partition=partition)
        producer.flush(60)
    said = kafka_shop.run(spark)
    assert "20,000 records in 3 micro-batches: 20,000 scored" in said
    assert rows_of_offsets(kafka_shop) == {f"{topic.name}-{partition}": list(range(5_000)) for partition in range(4)}


def test_compacted_topic_has_gaps_that_are_no_loss(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick
) -> None:
    topic.make(
        1, cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.001", delete_retention_ms="1"
    )
    for number in range(20):
        topic.send(make_click(number), key=b"same")
    time.sleep(0.2)
    topic.send(make_click(99), key=b"other")  # The newest segment is never compacted.
    log = topic.broker.home / "data" / f"{topic.name}-0"
    deadline = time.monotonic() + 60
    while len(list(log.glob("*.log"))) > 2 and time.monotonic() < deadline:
        time.sleep(0.5)
    kafka_shop.run(spark)
    offsets = kafka_shop.scored["source_offset"].tolist()
    assert offsets[-2:] == [19, 20]
    assert len(offsets) < 21
    assert "nothing new to read" in kafka_shop.run(spark)  # And no complaint about a loss.


def test_new_stream_begins_where_the_configuration_says(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick
) -> None:
    settings = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    topic.make(1)
    topic.send(make_click(1), timestamp=1_772_323_200_000)
    topic.send(make_click(2), timestamp=1_772_409_600_000)
    kafka_shop.set(source={**settings, "start": "2026-03-01T12:00:00Z"})
    kafka_shop.run(spark)
    assert kafka_shop.scored["id"].tolist() == ["c2"]


def test_pattern_finds_the_topics(spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick) -> None:
    topic.make(1)
    topic.send(make_click(1))
    around = type(topic)(topic.broker, f"test-{topic.name}-old")
    around.make(1)
    around.send(make_click(2))  # The pattern stands in the middle of its name, which is another one.
    kafka_shop.set(
        source={"kind": "kafka", "bootstrap_servers": topic.broker.servers, "pattern": topic.name[:-1] + "[0-9a-f]"}
    )
    kafka_shop.run(spark)
    assert kafka_shop.scored["source"].tolist() == [f"{topic.name}-0"]


def test_missing_topic_is_named_before_anything_is_written(spark: SparkSession, kafka_shop: Any, topic: Any) -> None:
    with pytest.raises(SourceError, match=f"has no topic {topic.name}; it has .*Create the topic"):
        kafka_shop.run(spark)
    assert not (kafka_shop.home / "checkpoint").exists()


def test_unreachable_broker_is_named(spark: SparkSession, shop: Any) -> None:
    settings = {"default.api.timeout.ms": 2000, "request.timeout.ms": 1000}
    shop.set(source={"kind": "kafka", "bootstrap_servers": "127.0.0.1:1", "topics": "clicks", "options": settings})
    with pytest.raises(SourceUnavailableError, match=r"127.0.0.1:1 cannot be read: TimeoutException"):
        check_source(spark, shop.config.source)


def test_option_with_a_wrong_value_is_refused_before_anything_is_written(
    spark: SparkSession, kafka_shop: Any, topic: Any
) -> None:
    topic.make(1)
    settings = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    kafka_shop.set(source={**settings, "options": {"fetch.min.bytes": "many"}})
    with pytest.raises(SourceError, match=r"Invalid value many for configuration fetch.min.bytes"):
        kafka_shop.run(spark)
    assert not (kafka_shop.home / "checkpoint").exists()


def test_plaintext_to_another_machine_is_warned_about() -> None:
    assert kafka.warnings(source()) == []
    remote = source().model_copy(update={"bootstrap_servers": "localhost:9092,kafka.example.org:9092"})
    assert "unencrypted from kafka.example.org:9092; use SASL_SSL" in kafka.warnings(remote)[0]
