"""A time that a producer has given to its records never stops the stream, whatever number it is."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import deltalake
import pytest
from confluent_kafka import TopicPartition
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import StreamError
from clickscore.reconciliation import audit
from clickscore.stream import app

MakeClick = Callable[..., dict[str, Any]]
Offsets = Callable[[Any], dict[str, list[int]]]

NANOSECONDS, MICROSECONDS, MOST = 1_795_864_028_742_000_000, 1_795_864_028_742_000, 2**63 - 1
MILLISECONDS = 1_772_366_400_000
PATIENCE_S = 60


@pytest.fixture
def any_time(topic: Any) -> Any:
    """A topic that takes any time, and keeps a record whatever its time says of its age."""
    limits = {"message_timestamp_after_max_ms": str(MOST), "message_timestamp_before_max_ms": str(MOST)}
    topic.make(2, retention_ms="-1", **limits)
    return topic


def send(topic: Any, partition: int, *records: tuple[Any, int]) -> None:
    for record, time_ms in records:
        topic.send(record, partition=partition, timestamp=time_ms, key=b"k", headers={"h": b"\x00\xff"})


def test_record_with_a_time_that_overflows_is_scored_without_its_time(
    spark: SparkSession, kafka_shop: Any, any_time: Any, make_click: MakeClick, rows_of_offsets: Offsets
) -> None:
    settings = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    kafka_shop.set(source={**settings, "keep": ["key", "headers"]})
    send(any_time, 0, (make_click(0), MILLISECONDS), (make_click(1), NANOSECONDS), (b"rubbish", MOST), (None, MOST))
    send(any_time, 0, (make_click(2), MILLISECONDS), (make_click(3), NANOSECONDS), (make_click(4), MICROSECONDS))
    send(any_time, 1, (make_click(5), MILLISECONDS), (make_click(6), MICROSECONDS))
    assert "a time that Spark cannot hold" in kafka_shop.run(spark)
    assert rows_of_offsets(kafka_shop) == {f"{any_time.name}-0": list(range(7)), f"{any_time.name}-1": [0, 1]}
    assert kafka_shop.scored["id"].tolist() == [f"c{number}" for number in range(7)]
    assert kafka_shop.rejected["reason"].tolist() == ["malformed_json", "tombstone"]
    assert set(kafka_shop.scored["source_key"]) == {b"k"}
    assert [next(iter(headers))["value"] for headers in kafka_shop.scored["source_headers"]] == [b"\x00\xff"] * 7
    send(any_time, 0, (make_click(7), MILLISECONDS))
    assert "cannot hold" not in kafka_shop.run(spark)
    assert len(kafka_shop.scored) == 8
    seen = StringIO()
    assert audit.run(kafka_shop.config, lambda: spark, Console(file=seen, width=160), None, None), seen.getvalue()
    deltalake.DeltaTable(str(kafka_shop.home / "scored_clicks")).delete("id IN ('c1', 'c2')")
    assert not audit.run(kafka_shop.config, lambda: spark, Console(file=seen, width=160), None, None)
    assert "2 missing: the source has them, the tables do not (1 … 4)" in seen.getvalue()


def test_stream_that_looks_for_duplicates_says_which_time_it_cannot_pass_and_the_way_that_it_names_leads_past_it(
    spark: SparkSession, kafka_shop: Any, any_time: Any, make_click: MakeClick
) -> None:
    kafka_shop.set(deduplicate={"window": "1 hour"})
    send(any_time, 0, (make_click(0), MILLISECONDS))
    kafka_shop.run(spark)
    send(any_time, 0, (make_click(1), NANOSECONDS))
    with pytest.raises(StreamError) as caught:
        kafka_shop.run(spark)
    said = str(caught.value)
    assert "batch 1: a record has a time that Spark cannot hold" in said
    assert f"1 record, at these offsets: {any_time.name}-0 1 to 1. Let the producers send milliseconds" in said
    assert "delete these records from the topics (kafka-delete-records.sh), and start with --accept-loss" in said
    deleted = any_time.broker.admin.delete_records([TopicPartition(any_time.name, 0, 2)])
    [done.result(PATIENCE_S) for done in deleted.values()]
    app.run(kafka_shop.config, lambda: spark, Console(file=StringIO()), accept_loss=True)
    send(any_time, 0, (make_click(0), MILLISECONDS), (make_click(1), MILLISECONDS))
    kafka_shop.run(spark)
    assert kafka_shop.scored["id"].tolist() == ["c0", "c1"]  # the memory of ids is still there
