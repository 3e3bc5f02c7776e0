"""Kafka as a source: the properties of its consumer, and the stream of raw records from its topics."""

import ipaddress
from collections.abc import Callable
from datetime import datetime

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.secrets import resolve
from clickscore.config.source import EARLIEST, LATEST, KafkaSource, Security
from clickscore.storage import schemas

_LOGIN_MODULES = {
    "PLAIN": "org.apache.kafka.common.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "org.apache.kafka.common.security.scram.ScramLoginModule",
    "OAUTHBEARER": "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule",
}
_OAUTH_HANDLER = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler"
_STORE_TYPES = {".jks": "JKS", ".pem": "PEM", ".crt": "PEM"}


def consumer_properties(source: KafkaSource) -> dict[str, str]:
    """Return the properties for Kafka's clients, by Kafka's names, with the secrets in them.

    Raises:
        ConfigError: if a secret cannot be read.
    """
    return {
        **_security_properties(source.security, lambda reference, key: resolve(reference, f"source.security.{key}")),
        # After the security, so that a login handler of one's own is not lost; all else of it is refused as an option.
        **source.options,
        "bootstrap.servers": source.bootstrap_servers,
        # What an aborted transaction wrote never happened; by default Spark would read it.
        "isolation.level": "read_committed",
    }


def _security_properties(security: Security, secret: Callable[[str, str], str]) -> dict[str, str]:
    properties: dict[str, str] = {"security.protocol": security.protocol}
    if security.mechanism:
        properties["sasl.mechanism"] = security.mechanism
        properties["sasl.jaas.config"] = _login(security, secret)
    if security.mechanism == "OAUTHBEARER":
        properties["sasl.login.callback.handler.class"] = _OAUTH_HANDLER
        properties["sasl.oauthbearer.token.endpoint.url"] = security.token_url or ""
    for kind, store in (("truststore", security.truststore), ("keystore", security.keystore)):
        if store:
            properties[f"ssl.{kind}.location"] = str(store)
            properties[f"ssl.{kind}.type"] = _STORE_TYPES.get(store.suffix.lower(), "PKCS12")
    for key in ("truststore_password", "keystore_password", "key_password"):
        if reference := getattr(security, key):
            properties[f"ssl.{key.replace('_', '.')}"] = secret(reference, key)
    return properties


def _login(security: Security, secret: Callable[[str, str], str]) -> str:
    keys = (
        {"clientId": "client_id", "clientSecret": "client_secret"}
        if security.mechanism == "OAUTHBEARER"
        else {"username": "username", "password": "password"}
    )
    values = {name: secret(getattr(security, key), key) for name, key in keys.items()}
    if security.scope:
        values["scope"] = security.scope
    # Kafka reads quoted values, with a backslash before quotes and backslashes in them.
    escaped = {name: value.replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()}
    options = "".join(f' {name}="{value}"' for name, value in escaped.items())
    return f"{_LOGIN_MODULES[security.mechanism or 'PLAIN']} required{options};"


def read_topics(spark: SparkSession, source: KafkaSource, accept_loss: bool) -> DataFrame:
    """Start reading; columns as in ``schemas.raw``.

    Args:
        spark: the session.
        source: what to read.
        accept_loss: go on where records are gone before they were read, instead of ending the stream.
    """
    options: dict[str, str | int | bool | None] = {
        "maxOffsetsPerTrigger": source.max_records,
        "failOnDataLoss": not accept_loss,
        "includeHeaders": "headers" in source.keep,
        "minPartitions": source.min_partitions,
        **{f"kafka.{name}": value for name, value in consumer_properties(source).items()},
    }
    if source.topics:
        options["subscribe"] = ",".join(source.topics)
    else:
        # Spark would take any topic with the pattern somewhere in its name.
        options["subscribePattern"] = f"^(?:{source.pattern})$"
    if source.start in (EARLIEST, LATEST):
        options["startingOffsets"] = source.start
    else:
        options["startingTimestamp"] = round(datetime.fromisoformat(source.start).timestamp() * 1_000)
        # Where a partition has nothing that young, its next record is the first.
        options["startingOffsetsByTimestampStrategy"] = "latest"
    given = {name: value for name, value in options.items() if value is not None}
    return spark.readStream.format("kafka").options(**given).load().select(*_raw_columns(source))


def _raw_columns(source: KafkaSource) -> list[Column]:
    return [
        F.col("value"),
        F.concat_ws("-", "topic", "partition").alias("source"),
        F.col("offset").alias("source_offset"),
        *[F.col(name).alias(schemas.KEPT[name].name) for name in source.keep],
        F.col("timestamp").alias(schemas.SOURCE_TIME.name),
    ]


def warnings(source: KafkaSource) -> list[str]:
    """Return what should not stay as it is: records that anybody on the way can read and change."""
    if source.security.protocol in ("SSL", "SASL_SSL"):
        return []
    remote = [server for server in source.bootstrap_servers.split(",") if not _is_loopback(server.strip())]
    if not remote:
        return []
    protocol = source.security.protocol
    return [f"source.security.protocol is {protocol}: clicks come unencrypted from {', '.join(remote)}; use SASL_SSL"]


def _is_loopback(server: str) -> bool:
    host = server.rpartition(":")[0].strip("[]") or server
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
