"""The newest records of topics, for a look without Spark: read by librdkafka, with the login of the configuration."""

import math
import re
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import pyarrow as pa

from clickscore.config.secrets import resolve
from clickscore.config.source import KafkaSource, Security
from clickscore.errors import SourceError, SourceUnavailableError

ANSWER_S = 15.0
"""How long the broker has to answer."""
_SAME = ("client.dns.lookup", "client.id", "ssl.endpoint.identification.algorithm")
"""Options that librdkafka knows by the name that Kafka's own client has for them, and a look may need."""
_PEM = (".pem", ".crt")
_PKCS12 = (".p12", ".pfx")


def read_newest(source: KafkaSource, most: int) -> pa.BinaryArray:
    """Return the values of the newest records, the oldest of them first; nothing is committed, and no group joined.

    Args:
        source: the topics.
        most: how many records, over all partitions; of each partition about the same number.

    Raises:
        SourceError: if there are no such topics, or the client cannot be used.
        SourceUnavailableError: if the broker does not answer.
    """
    try:
        from confluent_kafka import Consumer, KafkaException, TopicPartition
    except ModuleNotFoundError:
        raise SourceError(
            "source: the newest records of a topic are read by the Python package confluent-kafka, which is missing. "
            "Install it with pip install 'clickscore[kafka]', or name a file with a sample, or - for standard input."
        ) from None
    try:
        consumer = Consumer(client_settings(source))
    except KafkaException as error:
        raise SourceError(f"source: {source.bootstrap_servers} cannot be read: {error.args[0].str()}.") from None
    try:
        ends = {}
        names = _topics(source, consumer.list_topics(timeout=ANSWER_S).topics)
        for name, partitions in names.items():
            for number in partitions:
                low, high = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=ANSWER_S)
                if high > low:
                    ends[name, number] = low, high
        share = math.ceil(most / max(1, len(ends)))
        consumer.assign([TopicPartition(*place, max(low, high - share)) for place, (low, high) in ends.items()])
        newest = _read(consumer, {place: high for place, (_, high) in ends.items()})
        return pa.array(newest[-most:], pa.binary())
    except KafkaException as error:
        raise SourceUnavailableError(
            f"source: {source.bootstrap_servers} cannot be read: {error.args[0].str()}. Check the address, the login "
            f"and the rights, or name a file with a sample, or - for standard input."
        ) from None
    finally:
        consumer.close()


def _topics(source: KafkaSource, found: dict[str, Any]) -> dict[str, list[int]]:
    """Return the partitions of the topics of a source, of those that the broker knows."""
    wanted = source.topics or [name for name in found if re.fullmatch(source.pattern or "", name)]
    missing = [name for name in wanted if name not in found]
    if missing or not wanted:
        raise SourceError(
            f"source: {source.bootstrap_servers} has no topic {', '.join(missing) or f'like {source.pattern}'}; it has "
            f"{', '.join(sorted(found)) or 'none that the job may see'}. Correct the name, or grant the right to "
            f"describe it."
        )
    return {name: list(found[name].partitions) for name in wanted}


def _read(consumer: Any, ends: dict[tuple[str, int], int]) -> list[bytes | None]:
    """Read until the end of each partition, or until the broker brings nothing more."""
    from confluent_kafka import KafkaError, KafkaException

    found, waiting, heard = [], set(ends), time.monotonic()
    while waiting and time.monotonic() - heard < ANSWER_S:
        for message in consumer.consume(1_000, timeout=1.0):
            heard, place = time.monotonic(), (message.topic(), message.partition())
            fault = message.error()
            if fault and fault.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(fault)
            if not fault and message.offset() < ends[place]:
                found.append((message.timestamp()[1], message.value()))
            if fault or message.offset() >= ends[place] - 1:
                waiting.discard(place)
    return [value for _, value in sorted(found, key=lambda record: record[0])]


def client_settings(source: KafkaSource) -> dict[str, Any]:
    """Return the settings of librdkafka that say the same as a source does of Kafka's own client.

    Raises:
        ConfigError: if a secret cannot be read.
        SourceError: for a store of certificates that librdkafka cannot read.
    """
    return {
        "bootstrap.servers": source.bootstrap_servers,
        # It wants a name, though no group is joined where partitions are assigned.
        "group.id": "clickscore-try-clicks",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
        "log_level": 0,
        **{name: source.options[name] for name in _SAME if name in source.options},
        **_security(source.security),
    }


def _security(security: Security) -> dict[str, Any]:
    secret = partial(_secret, security)
    settings: dict[str, Any] = {"security.protocol": security.protocol}
    if security.mechanism == "OAUTHBEARER":
        settings |= {
            "sasl.mechanism": security.mechanism,
            "sasl.oauthbearer.method": "oidc",
            "sasl.oauthbearer.token.endpoint.url": security.token_url,
            "sasl.oauthbearer.client.id": secret("client_id"),
            "sasl.oauthbearer.client.secret": secret("client_secret"),
            **({"sasl.oauthbearer.scope": security.scope} if security.scope else {}),
        }
    elif security.mechanism:
        login = {"sasl.username": secret("username"), "sasl.password": secret("password")}
        settings |= {"sasl.mechanism": security.mechanism, **login}
    if security.truststore:
        _check_store(security.truststore.suffix, "truststore", _PEM)
        settings["ssl.ca.location"] = str(security.truststore)
    if security.keystore:
        kind = _check_store(security.keystore.suffix, "keystore", (*_PEM, *_PKCS12))
        settings |= _keys(security, is_pem=kind in _PEM)
    return settings


def _keys(security: Security, is_pem: bool) -> dict[str, Any]:
    file = str(security.keystore)
    if is_pem:
        password = {"ssl.key.password": _secret(security, "key_password")} if security.key_password else {}
        return {"ssl.certificate.location": file, "ssl.key.location": file, **password}
    password = {"ssl.keystore.password": _secret(security, "keystore_password")} if security.keystore_password else {}
    return {"ssl.keystore.location": file, **password}


def _secret(security: Security, key: str) -> str:
    return resolve(getattr(security, key), f"source.security.{key}")


def _check_store(suffix: str, key: str, readable: Iterable[str]) -> str:
    if suffix.lower() not in readable:
        raise SourceError(
            f"source.security.{key}: without Spark, a look at a topic can read {', '.join(readable)}, not {suffix}. "
            f"Name a file with a sample, or - for standard input, such as of kafka-console-consumer.sh."
        )
    return suffix.lower()
