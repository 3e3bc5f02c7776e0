"""Records of Avro are read at once with those of the same schema, and come out in their order."""

import json
from typing import Any

import pyarrow as pa
from tests.support.wire import avro_bytes, framed, parsed_as

from clickscore.scoring.avro import AvroOpener
from clickscore.scoring.record_groups import LEAST_RECORDS, RecordGroups
from clickscore.scoring.wire import Wire
from shopsim.registry import Registry

CLICK = pa.schema([pa.field("id", pa.string(), nullable=False), pa.field("price", pa.float64())])


def schema_with(*fields: tuple[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "Click", "fields": [{"name": name, "type": kind} for name, kind in fields]}


OLD = schema_with(("id", "string"))
NEW = schema_with(("price", ["null", "double"]), ("id", "string"))
LISTS = schema_with(("id", "string"), ("tags", {"type": "array", "items": "string"}))


def test_schemas_that_take_turns_do_not_change_the_order(registry: Registry) -> None:
    ids = [registry.register("clicks-value", json.dumps(schema)) for schema in (OLD, NEW, LISTS)]
    records: list[bytes | None] = []
    for number in range(LEAST_RECORDS):
        value = {"id": f"c{number}", "price": float(number), "tags": ["a"]}
        records += [framed(ids[kind], avro_bytes(schema, value)) for kind, schema in enumerate((OLD, NEW, LISTS))]
        records += [framed(99, b"\x02x"), b"rubbish", None]
    clicks, rejections = parsed_as(CLICK, Wire("avro", registry.url), *records)
    assert clicks.field("id").to_pylist() == [
        found for number in range(LEAST_RECORDS) for found in (*[f"c{number}"] * 3, None, None, None)
    ]
    assert clicks.field("price").to_pylist()[:6] == [None, 0.0, None, None, None, None]
    assert [rejections[row].reason for row in (3, 4, 5)] == ["unknown_schema", "malformed_avro", "tombstone"]
    assert len(rejections) == 3 * LEAST_RECORDS
    assert len(registry.asked) == 4

    read = list(RecordGroups(AvroOpener(Wire("avro", registry.url)), CLICK).columns(pa.array(records), 1024))
    assert [list(rows[:2]) for rows, _ in read] == [[0, 6], [1, 7]]


def test_few_records_and_those_that_are_read_as_another_schema_are_not_read_at_once() -> None:
    plain = AvroOpener(Wire("avro", schema=json.dumps(OLD).encode()))
    records = pa.array([avro_bytes(OLD, {"id": "c1"})] * LEAST_RECORDS, pa.binary())
    assert len(list(RecordGroups(plain, CLICK).columns(records, 1024))) == 1
    assert not list(RecordGroups(plain, CLICK).columns(records[1:], 1024))
    plain.read_as = NEW
    assert not list(RecordGroups(plain, CLICK).columns(records, 1024))


def test_record_that_is_too_large_is_not_read() -> None:
    plain = AvroOpener(Wire("avro", schema=json.dumps(OLD).encode()))
    long = avro_bytes(OLD, {"id": "x" * 50})
    records = pa.array([*[avro_bytes(OLD, {"id": "c1"})] * LEAST_RECORDS, long], pa.binary())
    [(rows, _)] = RecordGroups(plain, CLICK).columns(records, 50)
    assert LEAST_RECORDS not in rows
