"""The Kafka source's section: what it takes, what it refuses and why."""

from datetime import datetime, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from clickscore.config.source import KafkaSource, Security


def kafka(**keys: Any) -> KafkaSource:
    return KafkaSource.model_validate({"kind": "kafka", "bootstrap_servers": "b:9092", "topics": ["clicks"], **keys})


def problem(**keys: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        kafka(**keys)
    return str(refused.value)


def test_first_micro_batch_is_limited_by_default() -> None:
    assert kafka().max_records == 250_000


def test_single_topic_needs_no_list() -> None:
    assert kafka(topics="clicks").topics == ("clicks",)


def test_topics_and_pattern_exclude_each_other() -> None:
    assert "either topics or a pattern" in problem(pattern="clicks-.*")
    assert "either topics or a pattern" in problem(topics=None)


def test_start_is_a_place_or_a_time_with_its_zone() -> None:
    # YAML makes a time of it when there are no quotes.
    assert kafka(start=datetime(2026, 3, 1, tzinfo=timezone.utc)).start == "2026-03-01T00:00:00+00:00"
    assert kafka(start="2026-03-01T00:00:00Z").start == "2026-03-01T00:00:00Z"
    assert "expected earliest, latest or a time" in problem(start="2026-03-01T00:00:00")
    assert "expected earliest, latest or a time" in problem(start="newest")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("group.id", "the checkpoint keeps the offsets"),
        ("enable.auto.commit", "the checkpoint keeps the offsets"),
        ("auto.offset.reset", "source.start says where"),
        ("isolation.level", "the job reads committed records only"),
        ("sasl.jaas.config", "source.security sets it"),
        ("kafka.group.id", "the checkpoint keeps the offsets"),
        ("fetch.min.byte", "not an option of Kafka's consumer; did you mean fetch.min.bytes?"),
        ("kafka.fetch.min.bytes", "write it without the leading kafka."),
    ],
)
def test_option_is_refused_with_its_reason(name: str, reason: str) -> None:
    assert f"{name}" in problem(options={name: "1"})
    assert reason in problem(options={name: "1"})


def test_option_may_be_a_number_or_a_truth_value() -> None:
    assert kafka(options={"fetch.min.bytes": 1, "check.crcs": True}).options == {
        "fetch.min.bytes": "1",
        "check.crcs": "true",
    }


def test_login_must_be_complete() -> None:
    assert "SASL_SSL with a login needs mechanism" in problem(security={"protocol": "SASL_SSL"})
    assert "needs username, password" in problem(security={"protocol": "SASL_SSL", "mechanism": "PLAIN"})
    assert "needs token_url, client_id" in problem(security={"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER"})
    login = {"mechanism": "PLAIN", "username": "env:U", "password": "env:P"}
    assert "mechanism PLAIN needs the protocol SASL_SSL" in problem(security={"protocol": "SSL", **login})


def test_key_that_the_protocol_does_not_use_is_refused() -> None:
    login = {"username": "env:U", "password": "env:P"}
    assert "password, username: not used by PLAINTEXT" in problem(security={"protocol": "PLAINTEXT", **login})
    scram = {"protocol": "SASL_SSL", "mechanism": "SCRAM-SHA-512", **login}
    assert "scope: not used by SASL_SSL with SCRAM-SHA-512" in problem(security={**scram, "scope": "x"})


def test_secret_in_the_configuration_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError) as refused:
        Security.model_validate({"protocol": "SSL", "keystore_password": "hunter2"})
    assert "expected a reference to a secret" in refused.value.errors()[0]["msg"]
    assert "hunter2" not in refused.value.errors()[0]["msg"]
