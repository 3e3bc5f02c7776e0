"""Records of Avro and Protobuf come over a real broker, each with the id of its schema in a registry."""

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.wire import avro_bytes, framed, proto_file, proto_message, serialized

from clickscore.reconciliation import audit, replay
from clickscore.reconciliation.rescoring import Selection
from clickscore.stream.raw_column import IN_BASE64
from shopsim.registry import Registry

MakeClick = Callable[..., dict[str, Any]]
NOON_MS = 1_772_366_400_000
AWAY_S = 4.0
"""Longer than a worker itself asks again."""
TIME = {"type": "long", "logicalType": "timestamp-millis"}
FIRST = {"type": "record", "name": "Click", "fields": [
    {"name": "id", "type": "string"}, {"name": "at", "type": TIME}, {"name": "visitor", "type": "string"},
    {"name": "price", "type": ["null", "double"]}, {"name": "quantity", "type": ["null", "int"]},
]}  # fmt: skip
SECOND = {**FIRST, "fields": [{"name": "shop", "type": "string"}, *FIRST["fields"]]}
THIRD = {**FIRST, "doc": "not registered yet"}


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry().start()
    yield server
    server.stop()


def reading_from(kafka_shop: Any, **value: Any) -> None:
    kafka_shop.set(source={**kafka_shop.config.source.model_dump(include={"kind", "bootstrap_servers"}),
                           "topics": list(kafka_shop.config.source.topics), "value": value})  # fmt: skip


def mend_soon(registry: Registry, schema_id: int) -> None:
    """Let a registry answer about a schema, some time after it was asked for it first."""
    while not any(path.startswith(f"/schemas/ids/{schema_id}") for path in registry.asked):
        time.sleep(0.1)
    time.sleep(AWAY_S)
    registry.broken.clear()


def by_reason(rejected: Any) -> dict[str, tuple[str, str]]:
    return {row.reason: (row.raw, row.detail) for row in rejected.itertuples()}


def test_avro_is_scored_over_a_new_schema_and_a_registry_that_was_away_and_the_rest_can_be_replayed(
    spark: SparkSession, kafka_shop: Any, topic: Any, make_click: MakeClick, registry: Registry
) -> None:
    first, second = (registry.register("clicks-value", json.dumps(schema)) for schema in (FIRST, SECOND))
    later = second + 1
    reading_from(kafka_shop, format="avro", registry=registry.url)

    def record(schema_id: int, number: int, schema: Any = FIRST, **fields: Any) -> bytes:
        click = {**make_click(number), "at": NOON_MS + number, "shop": "eu", **fields}
        return framed(schema_id, avro_bytes(schema, click))

    no_text = record(first, 4) + b"\xff"
    size = len(no_text)
    topic.make(1)
    topic.send(record(first, 0), record(second, 1, SECOND), record(first, 2), record(later, 3), no_text,
               b'{"id": "c5"}', None)  # fmt: skip
    registry.broken.add(second)
    threading.Thread(target=mend_soon, args=(registry, second), daemon=True).start()
    seen = kafka_shop.run(spark)
    assert f"the schema registry {registry.url} does not answer: HTTP 503" in seen
    assert "attempt 1 failed" in seen
    assert "7 records in 1 micro-batch: 3 scored, 4 rejected" in seen

    scored = kafka_shop.scored
    assert list(scored["id"]) == ["c0", "c1", "c2"]
    assert [time.value for time in scored["at"]] == [(NOON_MS + number) * 1_000_000 for number in range(3)]
    rejected = {(row.reason, row.detail): row.raw for row in kafka_shop.rejected.itertuples()}
    assert rejected == {
        ("unknown_schema", f"the schema registry knows no schema {later}{IN_BASE64}"):
            base64.b64encode(record(later, 3)).decode(),
        ("malformed_avro", f"expected the record to end after {size - 1} bytes, as its schema says, found {size}"
         + IN_BASE64): base64.b64encode(no_text).decode(),
        ("malformed_avro", "expected a zero and four bytes with the id of a schema first, found 7b 22 69 64 22"):
            '{"id": "c5"}',
        ("tombstone", "expected a record, found no value at all"): None,
    }  # fmt: skip

    # By another name of the machine, as the workers remember what the registry does not know.
    reading_from(kafka_shop, format="avro", registry=registry.url.replace("127.0.0.1", "localhost"))
    assert registry.register("clicks-value", json.dumps(THIRD)) == later
    shown = StringIO()
    console = Console(file=shown, width=200)
    replay.run(kafka_shop.config, lambda: spark, console, Selection(), dry_run=False)
    assert "1 click is scored" in shown.getvalue()
    assert list(kafka_shop.scored["id"]) == ["c3", "c0", "c1", "c2"]
    assert audit.run(kafka_shop.config, lambda: spark, console, None, None), shown.getvalue()


def test_protobuf_is_scored_over_a_new_schema(
    spark: SparkSession, kafka_shop: Any, topic: Any, registry: Registry
) -> None:
    names = ("string id", "google.protobuf.Timestamp at", "string visitor", "optional double price")
    files = [proto_file(*names), proto_file(*names, "optional int32 quantity")]
    ids = [registry.register("clicks-value", serialized(file), "PROTOBUF") for file in files]
    reading_from(kafka_shop, format="protobuf", registry=registry.url)

    def record(version: int, **fields: Any) -> bytes:
        click = {"at": {"seconds": NOON_MS // 1_000}, "visitor": "v1", "price": 12.0, **fields}
        return framed(ids[version], b"\0" + proto_message(files[version])(**click).SerializeToString())

    topic.make(1)
    topic.send(record(0, id="c0"), record(1, id="c1", quantity=2), framed(99, b"\0x"), framed(ids[0], b"\0\x0a\xff"))
    assert "4 records in 1 micro-batch: 2 scored, 2 rejected" in kafka_shop.run(spark)
    assert list(kafka_shop.scored["id"]) == ["c0", "c1"]
    assert list(kafka_shop.scored["quantity"].fillna(0)) == [0, 2]
    reasons = by_reason(kafka_shop.rejected)
    assert sorted(reasons) == ["malformed_protobuf", "unknown_schema"]
    assert base64.b64decode(reasons["malformed_protobuf"][0]) == framed(ids[0], b"\0\x0a\xff")
