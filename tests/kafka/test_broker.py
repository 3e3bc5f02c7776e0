"""The broker for everyone, and the clicks that are sent to it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from shopsim import topics, witness
from shopsim.broker import Broker, BrokerError


def shell(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=120, check=False)


def test_broker_is_healthy_after_up_and_a_second_up_is_harmless(tmp_path: Path, broker: Broker) -> None:
    port = str(broker.port + 10)
    up = ["-m", "shopsim.broker", "up", "--home", str(tmp_path), "--port", port]
    down = ["-m", "shopsim.broker", "down", "--home", str(tmp_path)]
    assert f"listens on 127.0.0.1:{port}" in shell(*up).stdout
    own = Broker(tmp_path, int(port))
    process = own.process
    assert process is not None
    assert own.answers()
    assert "listens already" in shell(*up).stdout
    assert own.process == process
    with pytest.raises(BrokerError, match="another port"):
        Broker(tmp_path, int(port) + 10).start()
    assert "has stopped" in shell(*down).stdout
    assert own.process is None
    assert "no broker running" in shell(*down).stdout


def test_port_of_another_process_is_refused(tmp_path: Path, broker: Broker) -> None:
    with pytest.raises(BrokerError, match=f"port {broker.port} is taken by another process"):
        Broker(tmp_path, broker.port).start()


def test_broker_that_cannot_start_shows_its_log(tmp_path: Path, broker: Broker) -> None:
    bad = Broker(tmp_path, broker.port + 20, settings={"log.segment.bytes": "not a number"})
    with pytest.raises(BrokerError, match=r"not a number"):
        bad.start()


def test_simulator_sends_clicks_that_the_broker_confirms(topic: Any, run_job: Callable[..., Any]) -> None:
    arguments = ["--to", "kafka", "--servers", topic.broker.servers, "--topic", topic.name]
    done = run_job("simulate_clicks", *arguments, "--clicks", "3000", "--seed", "4")
    assert done.out.startswith("3,000 records confirmed by")
    assert sum(witness.offsets_in_topic(topic.broker.servers, topic.name).values()) == 3_000
    reader = Consumer({"bootstrap.servers": topic.broker.servers, "group.id": "t", "auto.offset.reset": "earliest"})
    reader.subscribe([topic.name])
    messages = reader.consume(100, timeout=20)
    reader.close()
    assert messages
    assert all(json.loads(message.value())["visitor_id"] == message.key().decode() for message in messages)


def test_simulator_without_a_broker_says_how_to_get_one(run_job: Callable[..., Any]) -> None:
    done = run_job("simulate_clicks", "--to", "kafka", "--servers", "127.0.0.1:1", "--clicks", "10")
    assert done.status == 1
    assert "start a broker with make kafka-up" in done.err


def test_record_that_is_no_click_is_sent_without_a_key() -> None:
    assert topics._visitor(b'{"visitor_id":"v7","x":1}') == b"v7"
    assert topics._visitor(b'{"visitor_id":"v7') is None
    assert topics._visitor(b"rubbish") is None
