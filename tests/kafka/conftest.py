"""One real broker for all tests of a run, with a listener without security and one with SASL/SCRAM over TLS."""

import json
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic
from tests.support.ports import free_ports

from shopsim.broker import Broker

USER, PASSWORD = "alice", 'a "difficult\\ password'
STORE_PASSWORD = "store-secret"
EVERY_ROW = """
SELECT source, source_offset FROM scored_clicks UNION ALL SELECT source, source_offset FROM rejected_clicks
"""


@dataclass(frozen=True)
class SecureBroker:
    broker: Broker
    secure_servers: str
    certificate: Path


@pytest.fixture(scope="session")
def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    home = tmp_path_factory.mktemp("broker")
    keystore, certificate = home / "broker.p12", home / "ca.pem"
    key = ["-keystore", str(keystore), "-storepass", STORE_PASSWORD, "-alias", "broker"]
    new = ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=localhost", "-ext", "SAN=ip:127.0.0.1,dns:localhost"]
    subprocess.run(["keytool", *new, *key], check=True, capture_output=True)
    export = ["-exportcert", "-rfc", "-file", str(certificate)]
    subprocess.run(["keytool", *export, *key], check=True, capture_output=True)
    port = free_ports(3)
    secure = f"127.0.0.1:{port + 2}"
    broker = Broker(
        home / "kafka",
        port,
        settings={
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1},SECURE://{secure}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL",
            "ssl.keystore.location": str(keystore),
            "ssl.keystore.password": STORE_PASSWORD,
            "ssl.keystore.type": "PKCS12",
            "listener.name.secure.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.secure.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "log.cleaner.backoff.ms": "200",
        },
        scram={USER: PASSWORD},
    )
    broker.start()
    yield SecureBroker(broker, secure, certificate)
    broker.kill()


@pytest.fixture(scope="session")
def broker(secure_broker: SecureBroker) -> Broker:
    return secure_broker.broker


@dataclass
class Topic:
    """A topic of one test."""

    broker: Broker
    name: str

    def make(self, partitions: int = 4, **config: str) -> None:
        settings = {name.replace("_", "."): value for name, value in config.items()}
        made = self.broker.admin.create_topics([NewTopic(self.name, partitions, 1, config=settings)])
        made[self.name].result()

    def delete(self) -> None:
        self.broker.admin.delete_topics([self.name])[self.name].result()

    def send(self, *records: dict[str, Any] | bytes | None, partition: int = 0, **more: Any) -> None:
        producer = self.producer()
        self.put(producer, *records, partition=partition, **more)
        assert producer.flush(30) == 0

    def put(self, producer: Producer, *records: dict[str, Any] | bytes | None, partition: int = 0, **more: Any) -> None:
        for record in records:
            value = json.dumps(record).encode() if isinstance(record, dict) else record
            producer.produce(self.name, value, partition=partition, **more)

    def producer(self, **config: Any) -> Producer:
        limits = {"message.max.bytes": 8_000_000, "queue.buffering.max.messages": 500_000}
        return Producer({"bootstrap.servers": self.broker.servers, **limits, **config})


@pytest.fixture(scope="session")
def new_topic(broker: Broker) -> Callable[[], Topic]:
    # Spark hides properties of tables that have `url` in them; what is remembered of a topic must come back.
    return lambda: Topic(broker, f"url-clicks-{uuid.uuid4().hex[:8]}")


@pytest.fixture
def topic(new_topic: Callable[[], Topic]) -> Topic:
    return new_topic()


@pytest.fixture
def kafka_shop(shop: Any, topic: Topic) -> Any:
    """A shop whose clicks come from the topic, which the test has to make."""
    shop.set(source={"kind": "kafka", "bootstrap_servers": topic.broker.servers, "topics": [topic.name]})
    return shop


@pytest.fixture
def rows_of_offsets() -> Callable[[Any], dict[str, list[int]]]:
    return offsets_in_tables


def offsets_in_tables(shop: Any) -> dict[str, list[int]]:
    """Return the offsets of each source over both tables, in order, every row counted."""
    query = deltalake.QueryBuilder()
    for name in ("scored_clicks", "rejected_clicks"):
        query = query.register(name, deltalake.DeltaTable(str(shop.home / name)))
    rows = pa.table(query.execute(EVERY_ROW)).to_pylist()
    offsets: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda row: (row["source"], row["source_offset"])):
        offsets.setdefault(row["source"], []).append(row["source_offset"])
    return offsets
