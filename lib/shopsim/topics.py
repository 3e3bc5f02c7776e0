"""Clicks go to a Kafka topic, and count once the broker has confirmed them."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

PARTITIONS = 4
CONNECT_S = 10
PATIENCE_S = 60
"""How long a portion may take until the broker has confirmed it."""

PRODUCER = {
    # Confirmed by all replicas, each record once and in order, over any retry of the client.
    "enable.idempotence": True,
    "linger.ms": 20,
    "compression.type": "lz4",
    "queue.buffering.max.messages": 500_000,
    # A broker that is down is told by the exception.
    "log_level": 0,
}
_VISITOR = b'"visitor_id":"'


class DeliveryError(RuntimeError):
    """Raised when the broker does not confirm a record."""


def make_topic(servers: str, topic: str, partitions: int = PARTITIONS) -> None:
    """Make the topic, unless there is one of that name.

    Raises:
        DeliveryError: if the broker cannot be reached.
    """
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    try:
        for made in admin.create_topics([NewTopic(topic, partitions, 1)], request_timeout=CONNECT_S).values():
            made.result()
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise DeliveryError(f"{servers}: {error.args[0].str()}; start a broker with make kafka-up") from None


def send(portions: Iterable[pa.BinaryArray], servers: str, topic: str) -> Iterator[int]:
    """Send records, with the visitor as their key, so that the clicks of a visitor stay in order.

    Yields:
        The number of records in each portion, when all of them are confirmed.

    Raises:
        DeliveryError: if a record is not.
    """
    make_topic(servers, topic)
    producer = Producer({**PRODUCER, "bootstrap.servers": servers})
    confirmations = _Confirmations()
    for records in portions:
        for record in records.to_pylist():
            _produce(producer, topic, record, confirmations)
        left = producer.flush(PATIENCE_S)
        if confirmations.error or left:
            raise DeliveryError(f"{topic} on {servers}: {confirmations.error or f'{left:,} records not confirmed'}")
        yield len(records)


class _Confirmations:
    """What the broker says to each record."""

    error: KafkaError | None = None

    def __call__(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.error = error


def _produce(producer: Any, topic: str, record: bytes, confirmations: _Confirmations) -> None:
    while True:
        try:
            producer.produce(topic, record, _visitor(record), on_delivery=confirmations)
        except BufferError:
            # The queue is full: let the broker catch up.
            producer.poll(0.1)
        else:
            return


def _visitor(record: bytes) -> bytes | None:
    begin = record.find(_VISITOR) + len(_VISITOR)
    end = record.find(b'"', begin)
    return record[begin:end] if begin >= len(_VISITOR) and end > begin else None
