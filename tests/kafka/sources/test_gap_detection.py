"""What is gone from a topic before it was read is never passed over in silence."""

import re
import shutil
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException, TopicPartition
from pyspark.sql import SparkSession
from pyspark.sql import types as T
from rich.console import Console
from tests.support.interruption import run_until

from clickscore.errors import DataLossError, StreamError, TableError
from clickscore.sources.gap_detection import TOPICS_PROPERTY, read_topic_ids, without
from clickscore.sources.gaps import Gap
from clickscore.storage.table import Table
from clickscore.stream import app

MakeClick = Callable[..., dict[str, Any]]


def age_out(topic: Any, before: int, partition: int = 0) -> None:
    deleted = topic.broker.admin.delete_records([TopicPartition(topic.name, partition, before)])
    for done in deleted.values():
        done.result()


def run_accepting_loss(shop: Any, spark: SparkSession) -> str:
    seen = StringIO()
    app.run(shop.config, lambda: spark, Console(file=seen, width=200), accept_loss=True)
    return seen.getvalue()


@pytest.fixture
def read_ten(spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick) -> Any:
    """Ten clicks have been scored, offsets 0 to 9."""
    topic.make(1)
    topic.send(*(make_click(number) for number in range(10)))
    kafka_shop.run(spark)
    return kafka_shop


def test_aged_out_offsets_stop_the_job_with_range_and_choices(
    spark: SparkSession, read_ten: Any, topic: Any, make_click: MakeClick
) -> None:
    topic.send(*(make_click(number) for number in range(10, 30)))
    age_out(topic, 25)
    with pytest.raises(DataLossError) as stopped:
        read_ten.run(spark)
    message = str(stopped.value)
    assert f"{topic.name}-0: offsets 10 to 24 are lost (aged_out)" in message
    assert "--accept-loss" in message
    assert len(read_ten.scored) == 10


def test_accepted_loss_goes_on_and_writes_the_range_once(
    spark: SparkSession, read_ten: Any, topic: Any, make_click: MakeClick
) -> None:
    topic.send(*(make_click(number) for number in range(10, 30)))
    age_out(topic, 25)
    assert "offsets 10 to 24 are lost" in run_accepting_loss(read_ten, spark)
    gaps = read_ten.table("source_gaps")
    assert gaps[["source", "first_offset", "last_offset", "reason", "batch_id"]].values.tolist() == [
        [f"{topic.name}-0", 10, 24, "aged_out", 1]
    ]
    assert sorted(read_ten.scored["source_offset"]) == [*range(10), *range(25, 30)]
    topic.send(make_click(30))
    read_ten.run(spark)  # By default again: nothing is missing now.
    assert len(read_ten.table("source_gaps")) == 1
    assert len(read_ten.scored) == 16


def test_topic_that_was_made_again_is_not_taken_for_the_old_one(
    spark: SparkSession, read_ten: Any, topic: Any, make_click: MakeClick
) -> None:
    topic.delete()
    make_again(topic)
    # Longer than the old one: offsets alone would not tell, and the first ten of these would be passed over.
    topic.send(*(make_click(number) for number in range(100, 115)))
    with pytest.raises(DataLossError, match=r"offsets 0 to 9 are lost .recreated.: these are records of the new topic"):
        read_ten.run(spark)
    run_accepting_loss(read_ten, spark)
    gaps = read_ten.table("source_gaps").sort_values("first_offset")
    assert gaps[["first_offset", "reason"]].values.tolist() == [[0, "recreated"], [10, "recreated"]]
    assert sorted(read_ten.scored["source_offset"]) == [*range(10), *range(10, 15)]
    topic.send(make_click(200))
    read_ten.run(spark)  # The new topic is known now.
    assert "c200" in set(read_ten.scored["id"])


def make_again(topic: Any) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            return topic.make(1)
        except KafkaException:  # The old one is still going away.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_log_that_was_cut_off_stops_the_job(
    spark: SparkSession, read_ten: Any, topic: Any, make_click: MakeClick
) -> None:
    topic.broker.stop()
    shutil.rmtree(topic.broker.home / "data" / f"{topic.name}-0")
    topic.broker.start()
    topic.send(make_click(50), make_click(51))
    with pytest.raises(DataLossError, match=r"truncated.: the next offset should be 10 or above, the log ends at 2"):
        read_ten.run(spark)
    run_accepting_loss(read_ten, spark)
    assert read_ten.table("source_gaps")[["first_offset", "last_offset", "reason"]].values.tolist() == [
        [0, 1, "truncated"]
    ]
    topic.send(make_click(52))
    read_ten.run(spark)
    assert "c52" in set(read_ten.scored["id"])


def test_records_of_an_interrupted_first_batch_that_aged_out_are_missed(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.make(1)
    topic.send(*(make_click(number) for number in range(30)))
    run_until("pinned", kafka_shop, spark, monkeypatch)
    age_out(topic, 25)
    with pytest.raises(DataLossError, match=r"offsets 0 to 24 are lost .aged_out."):
        kafka_shop.run(spark)
    run_accepting_loss(kafka_shop, spark)
    assert kafka_shop.table("source_gaps")[["first_offset", "last_offset"]].values.tolist() == [[0, 24]]
    assert sorted(kafka_shop.scored["source_offset"]) == list(range(25, 30))


def test_offsets_that_were_read_in_time_are_no_part_of_the_gap() -> None:
    gap = Gap(("clicks", 0), 10, 19, "aged_out", "why")
    assert [(left.first, left.last) for left in without(gap, [15, 10, 11])] == [(12, 14), (16, 19)]
    assert list(without(gap, range(10, 20))) == []
    assert list(without(gap, [])) == [gap]


class AgesOutAfterFirstBatch(StringIO):
    """A console on which the first micro-batch appears at the moment when the topic loses records."""

    def __init__(self, topic: Any) -> None:
        super().__init__()
        self.topic = topic

    def write(self, text: str) -> int:
        if "batch    0" in text:
            age_out(self.topic, 25)
        return super().write(text)


def test_loss_while_the_stream_runs_stops_it_with_the_same_message(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick
) -> None:
    topic.make(1)
    for number in range(30):
        topic.send(make_click(number))
    settings = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    # Without this the consumer would have fetched everything before it is gone.
    one_by_one = {"max.partition.fetch.bytes": "1", "fetch.max.bytes": "1", "max.poll.records": "1"}
    kafka_shop.set(source={**settings, "max_records": 10, "options": one_by_one})
    seen = AgesOutAfterFirstBatch(topic)
    with pytest.raises(StreamError, match=f"{topic.name}-0: offsets 10 to 24 are lost"):
        app.run(kafka_shop.config, lambda: spark, Console(file=seen, width=200))
    assert "offsets 10 to 24 are lost" in run_accepting_loss(kafka_shop, spark)
    gaps = kafka_shop.table("source_gaps").sort_values("first_offset")
    assert sum(gaps["last_offset"] - gaps["first_offset"] + 1) == 15
    assert sorted(kafka_shop.scored["source_offset"]) == [*range(10), *range(25, 30)]


@pytest.mark.parametrize("changed", ["no hexadecimal", "7b", b"[1]".hex()])
def test_topic_ids_that_somebody_has_changed_are_refused_in_words(
    spark: SparkSession, tmp_path: Path, changed: str
) -> None:
    scored = Table(str(tmp_path / "scored_clicks"))
    scored.create(spark, T.StructType([T.StructField("id", T.StringType())]), [], {TOPICS_PROPERTY: changed})
    with pytest.raises(TableError, match=rf"says '{re.escape(changed)}'\. (.|\n)*UNSET TBLPROPERTIES"):
        read_topic_ids(spark, scored)
