"""The newest records of real topics, read without Spark."""

from typing import Any

import pytest

from clickscore.config.source import KafkaSource
from clickscore.errors import SourceError, SourceUnavailableError
from clickscore.sources import newest_records
from clickscore.sources.newest_records import read_newest


def source(topic: Any, **keys: Any) -> KafkaSource:
    names = {} if "pattern" in keys else {"topics": [topic.name]}
    return KafkaSource.model_validate({"kind": "kafka", "bootstrap_servers": topic.broker.servers, **names, **keys})


def test_newest_records_of_all_partitions_come_in_the_order_of_their_times(topic: Any) -> None:
    topic.make(3)
    topic.send(b"old", b"a", None, partition=0, timestamp=1_000)
    topic.send(b"older", b"b", partition=2, timestamp=500)
    assert read_newest(source(topic), 4).to_pylist() == [b"older", b"b", b"a", None]
    assert read_newest(source(topic), 100).to_pylist() == [b"older", b"b", b"old", b"a", None]
    assert read_newest(source(topic, pattern=topic.name[:-1] + "."), 1).to_pylist() == [None]


def test_empty_topic_has_no_records(topic: Any) -> None:
    topic.make(2)
    assert read_newest(source(topic), 10).to_pylist() == []


def test_topic_that_is_not_there_and_broker_that_does_not_answer_are_told(
    topic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match=f"has no topic {topic.name}; it has "):
        read_newest(source(topic), 10)
    monkeypatch.setattr(newest_records, "ANSWER_S", 1.0)
    with pytest.raises(SourceUnavailableError, match=r"127.0.0.1:1 cannot be read: .* or - for standard input"):
        read_newest(source(topic, bootstrap_servers="127.0.0.1:1"), 10)
