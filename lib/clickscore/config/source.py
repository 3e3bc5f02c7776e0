"""The source section of a configuration: a landing folder, a Delta table or Kafka topics, each with its own keys."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clickscore.config.fields import Count, ExistingFile, FolderPath, Reference, Section, Size, TableName, Text, nearest
from clickscore.config.kafka_options import ALLOWED, FORBIDDEN
from clickscore.config.value import Value

EARLIEST, LATEST = "earliest", "latest"


def _json(value: Value) -> Value:
    if value.format != "json":
        raise ValueError(
            f"expected json, found {value.format}, which lines of text cannot hold; read it from Kafka, or from a "
            f"BINARY column of a Delta table"
        )
    return value


class FolderSource(Section):
    """Files of JSON lines that appear in a folder: ``*.json``, ``*.jsonl``, ``*.ndjson``, each also with ``.gz``.

    Example::

        source: {kind: folder, path: build/demo/landing, value: {format: json}, max_bytes: 40 MiB}

    Attributes:
        keep: nothing; a line has no key and no headers.
        kind: this kind of source.
        path: the landing folder; subfolders are read too.
        value: JSON; a line of text can hold nothing else.
        max_bytes: most bytes of files in one micro-batch. A single larger file makes a micro-batch of its own.
    """

    keep: ClassVar[tuple[str, ...]] = ()
    kind: Literal["folder"]
    path: FolderPath
    value: Annotated[Value, AfterValidator(_json)] = Value()
    max_bytes: Size = 128 * 1024**2


class DeltaSource(Section):
    """A Delta table that clicks are appended to.

    Example::

        source:
          kind:      delta
          table:     /lake/raw_clicks
          column:    payload
          value:     {format: avro, registry: "https://registry.example.com:8081"}
          changes:   skip
          max_bytes: 128 MiB

    Attributes:
        keep: nothing; a row has no key and no headers.
        kind: this kind of source.
        table: path or catalog name of the table.
        column: string or binary column that holds each click as a record; left out, the table's own columns
            are the click's fields.
        value: how the records in ``column`` are written; Avro and Protobuf need a binary column.
        changes: what to do at a commit that changes or deletes rows: stop with an error, or skip the commit.
        max_bytes: most bytes of data files in one micro-batch, approximately.
    """

    keep: ClassVar[tuple[str, ...]] = ()
    kind: Literal["delta"]
    table: TableName
    column: Text | None = None
    value: Value = Value()
    changes: Literal["stop", "skip"] = "stop"
    max_bytes: Size = 128 * 1024**2

    @model_validator(mode="after")
    def _has_column(self) -> "DeltaSource":
        if self.value.format != "json" and not self.column:
            raise ValueError(f"value.format is {self.value.format}; name the binary column that holds it in column")
        return self


_STORE_KEYS = {"truststore", "truststore_password", "keystore", "keystore_password", "key_password"}


class Security(Section):
    """How the job authenticates with the brokers, and whether the connection is encrypted.

    Example::

        security:
          protocol:            SASL_SSL
          mechanism:           SCRAM-SHA-512
          username:            env:KAFKA_USER
          password:            env:KAFKA_PASSWORD
          truststore:          /etc/kafka/ca.p12
          truststore_password: file:/run/secrets/truststore
          keystore:            /etc/kafka/client.p12
          keystore_password:   file:/run/secrets/keystore
          key_password:        file:/run/secrets/key

    Example::

        security:
          protocol:      SASL_SSL
          mechanism:     OAUTHBEARER
          token_url:     https://login.example.com/oauth2/token
          client_id:     env:KAFKA_CLIENT_ID
          client_secret: env:KAFKA_CLIENT_SECRET
          scope:         kafka

    Attributes:
        protocol: ``SSL`` and ``SASL_SSL`` encrypt the connection.
        mechanism: how the job logs in; required by the ``SASL_`` protocols.
        username: user name, for ``PLAIN`` and ``SCRAM``.
        password: password, for ``PLAIN`` and ``SCRAM``.
        token_url: address that issues tokens, for ``OAUTHBEARER``.
        client_id: id of the client at that address.
        client_secret: secret of the client at that address.
        scope: scope of the token.
        truststore: certificates to trust: a ``.p12``, ``.jks`` or ``.pem`` file, at the same path on the driver and on
            every executor.
        truststore_password: password of the truststore.
        keystore: the client's own certificate, in the same file formats and places.
        keystore_password: password of the keystore.
        key_password: password of the private key in the keystore.
    """

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    username: Reference | None = None
    password: Reference | None = None
    token_url: Text | None = None
    client_id: Reference | None = None
    client_secret: Reference | None = None
    scope: Text | None = None
    truststore: ExistingFile | None = None
    truststore_password: Reference | None = None
    keystore: ExistingFile | None = None
    keystore_password: Reference | None = None
    key_password: Reference | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> "Security":
        login: tuple[str, ...] = ("mechanism",) if self.protocol.startswith("SASL") else ()
        if self.mechanism == "OAUTHBEARER":
            login += ("token_url", "client_id", "client_secret")
        elif self.mechanism:
            login += ("username", "password")
        if missing := [name for name in login if getattr(self, name) is None]:
            raise ValueError(f"{self.protocol} with {self.mechanism or 'a login'} needs {', '.join(missing)}")
        if self.mechanism and not self.protocol.startswith("SASL"):
            raise ValueError(f"mechanism {self.mechanism} needs the protocol SASL_SSL, found {self.protocol}")
        used = {"protocol", *login, *(("scope",) if self.mechanism == "OAUTHBEARER" else ())}
        if self.protocol.endswith("SSL"):
            used |= _STORE_KEYS
        if idle := sorted(name for name in self.model_fields_set - used if getattr(self, name) is not None):
            raise ValueError(f"{', '.join(idle)}: not used by {self.protocol} with {self.mechanism or 'no login'}")
        return self


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _position(text: object) -> object:
    if isinstance(text, datetime):  # YAML knows times; without quotes it makes one of them.
        text = text.isoformat()
    if text not in (EARLIEST, LATEST):
        try:
            zone = datetime.fromisoformat(str(text)).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            raise ValueError(f"expected {EARLIEST}, {LATEST} or a time such as 2026-03-01T00:00:00Z, found {text!r}")
    return text


def _options(options: dict[str, str]) -> dict[str, str]:
    problems = []
    for name in options:
        bare = name.removeprefix("kafka.")
        if bare in FORBIDDEN:
            problems.append(f"{name} may not be set: {FORBIDDEN[bare]}")
        elif bare != name:
            problems.append(f"{name}: write it without the leading kafka.")
        elif name not in ALLOWED:
            problems.append(f"{name} is not an option of Kafka's consumer{nearest(name, ALLOWED)}")
    if problems:
        raise ValueError("; ".join(problems))
    return options


def _as_text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool | int | float) else value


Option = Annotated[str, BeforeValidator(_as_text)]


class KafkaSource(Section):
    """Kafka topics; each record is one click.

    Example::

        source:
          kind: kafka
          bootstrap_servers: "kafka-1.example.com:9093,kafka-2.example.com:9093"
          topics: [clicks]
          start: "2026-03-01T00:00:00Z"
          max_records: 250000
          min_partitions: 8
          value: {format: avro, registry: "https://registry.example.com:8081"}
          keep: [key, headers]
          security: {protocol: SSL}
          options: {fetch.min.bytes: 65536}

    Example::

        source: {kind: kafka, bootstrap_servers: "127.0.0.1:9092", pattern: "clicks-.*"}

    Attributes:
        kind: this kind of source.
        bootstrap_servers: brokers to connect to first: ``host:port``, separated by commas.
        topics: the topics to read; either this or ``pattern``.
        pattern: Java regular expression that matches whole topic names, also of topics that are created later.
        start: where a new stream begins. A stream with a checkpoint resumes from the checkpoint.
        max_records: most records in one micro-batch, over all partitions, so that a backlog does not become one giant
            micro-batch.
        min_partitions: least number of tasks that a micro-batch is split into; left out, one per partition.
        value: how the value of each record is written.
        keep: what else of a record both tables keep: ``key`` as ``source_key``, ``headers`` as ``source_headers``.
        security: login and encryption.
        options: other options of Kafka's consumer, by Kafka's names.
    """

    kind: Literal["kafka"]
    bootstrap_servers: Text
    topics: Annotated[tuple[Text, ...], BeforeValidator(_as_list), Field(min_length=1, strict=False)] | None = None
    pattern: Text | None = None
    start: Annotated[str, BeforeValidator(_position)] = EARLIEST
    max_records: Count = 250_000
    min_partitions: Annotated[int, Field(gt=0, le=2**31 - 1)] | None = None  # Spark counts tasks in an INT
    value: Value = Value()
    keep: Annotated[tuple[Literal["key", "headers"], ...], Field(strict=False)] = ()
    security: Security = Security(protocol="PLAINTEXT")
    options: Annotated[dict[str, Option], AfterValidator(_options)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _has_topics(self) -> "KafkaSource":
        if (self.topics is None) == (self.pattern is None):
            raise ValueError("expected either topics or a pattern")
        return self


Source = Annotated[FolderSource | DeltaSource | KafkaSource, Field(discriminator="kind")]
SOURCES: dict[str, type[Section]] = {"folder": FolderSource, "delta": DeltaSource, "kafka": KafkaSource}
