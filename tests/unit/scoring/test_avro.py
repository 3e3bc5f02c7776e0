"""Records of Avro: what becomes of each type, and why a record is rejected."""

import datetime as dt
import json
import time
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from tests.support.wire import avro_bytes, framed, parsed_as

from clickscore.scoring.avro import parsed
from clickscore.scoring.ddl import read_fields
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.reading import Reading, with_reading
from clickscore.scoring.wire import UndecodableError, Wire
from shopsim.registry import Registry

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone.utc)
US = 1_000_000
NOON_US = int(NOON.timestamp()) * US


def record(*fields: tuple[str, Any], name: str = "Click", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": name, "type": kind} for name, kind in fields], **more}


def fields(ddl: str) -> pa.Schema:
    return read_fields(ddl)[0]


def plain(schema: Any) -> Wire:
    return Wire("avro", schema=json.dumps(schema).encode())


def read_one(ddl: str, kind: Any, value: Any) -> Any:
    """Return what a field becomes: its value, or why the record is rejected."""
    schema = record(("a", kind))
    clicks, rejections = parsed_as(fields(f"a {ddl}"), plain(schema), avro_bytes(schema, {"a": value}))
    return rejections.get(0) or clicks.field("a")[0].as_py()


@pytest.mark.parametrize(
    ("ddl", "kind", "value", "found"),
    [
        ("STRING", "string", "Zürich", "Zürich"),
        ("STRING", {"type": "enum", "name": "E", "symbols": ["view", "buy"]}, "buy", "buy"),
        ("STRING", {"type": "string", "logicalType": "uuid"}, str(uuid.UUID(int=7)), str(uuid.UUID(int=7))),
        ("BIGINT", "long", -(2**63), -(2**63)),
        ("BIGINT", "int", 2**31 - 1, 2**31 - 1),
        ("INT", {"type": "int", "logicalType": "time-millis"}, dt.time(0, 0, 1), 1000),
        ("DOUBLE", "double", 8.25, 8.25),
        ("DOUBLE", "float", 8.25, 8.25),
        ("DOUBLE", "long", 8, 8.0),
        ("BOOLEAN", "boolean", True, True),
        ("STRING", ["null", "string"], None, None),
        ("STRING", ["null", "long", "string"], "x", "x"),
        ("ARRAY<INT>", {"type": "array", "items": "int"}, [1, 2], [1, 2]),
        ("MAP<STRING, DOUBLE>", {"type": "map", "values": ["null", "double"]}, {"x": None}, [("x", None)]),
        ("STRUCT<b: INT>", record(("b", "int"), ("c", "string"), name="Inner"), {"b": 1, "c": "x"}, {"b": 1}),
    ],
)
def test_value_of_each_type_is_read(ddl: str, kind: Any, value: Any, found: Any) -> None:
    assert read_one(ddl, kind, value) == found


@pytest.mark.parametrize(
    ("logical", "number", "found"),
    [
        ("timestamp-millis", NOON_US // 1_000 + 123, NOON + dt.timedelta(milliseconds=123)),
        ("timestamp-micros", NOON_US + 123_456, NOON + dt.timedelta(microseconds=123_456)),
        ("timestamp-nanos", NOON_US * 1_000 + 123_456_999, NOON + dt.timedelta(microseconds=123_456)),
        ("local-timestamp-micros", NOON_US, NOON),
        ("timestamp-millis", -1, dt.datetime(1969, 12, 31, 23, 59, 59, 999_000, dt.timezone.utc)),
    ],
)
def test_logical_time_is_read_in_its_unit(logical: str, number: int, found: dt.datetime) -> None:
    schema, raw = record(("a", {"type": "long", "logicalType": logical})), record(("a", "long"))
    clicks, rejections = parsed_as(fields("a TIMESTAMP"), plain(schema), avro_bytes(raw, {"a": number}))
    assert not rejections
    assert clicks.field("a")[0].as_py() == found


def test_local_time_is_one_of_the_zone_of_its_field() -> None:
    schema = record(("a", {"type": "long", "logicalType": "local-timestamp-millis"}))
    click = pa.schema([with_reading(pa.field("a", pa.timestamp("us", "UTC")), Reading(zone="Europe/Zurich"))])
    [found] = parsed_as(click, plain(schema), avro_bytes(record(("a", "long")), {"a": NOON_US // 1_000})).clicks
    assert found["a"].as_py() == NOON - dt.timedelta(hours=1)


def test_text_and_number_that_are_times_are_read_as_in_json() -> None:
    schema = record(("text", "string"), ("number", "long"))
    value = {"text": "2026-03-01 13:00:00.1234567 +0100", "number": NOON_US // 1_000}
    [found] = parsed_as(fields("text TIMESTAMP, number TIMESTAMP"), plain(schema), avro_bytes(schema, value)).clicks
    assert found["text"].as_py() == NOON + dt.timedelta(microseconds=123_456)
    assert found["number"].as_py() == NOON


def test_fraction_of_a_text_is_cut_not_rounded() -> None:
    assert read_one("TIMESTAMP", "string", "2026-03-01T12:00:00.9999999Z") == NOON + dt.timedelta(microseconds=999_999)


def test_decimal_and_day_are_exact() -> None:
    decimal = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
    assert read_one("DECIMAL(9, 2)", decimal, Decimal("8.25")) == Decimal("8.25")
    assert read_one("DOUBLE", decimal, Decimal("8.25")) == 8.25
    assert read_one("DATE", {"type": "int", "logicalType": "date"}, dt.date(2026, 3, 1)) == dt.date(2026, 3, 1)
    assert read_one("DECIMAL(3, 1)", decimal, Decimal("8.25")) == Rejection(
        "wrong_type", "Expected `decimal(3,1)`, found a number with more digits - at `$.a`"
    )


@pytest.mark.parametrize(
    ("ddl", "kind", "value", "reason", "detail"),
    [
        ("STRING NOT NULL", ["null", "string"], None, "missing_field", "a is null"),
        ("STRING", "long", 5, "wrong_type", "Expected `str | null`, got `int` - at `$.a`"),
        ("STRING", "bytes", b"x", "wrong_type", "Expected `str | null`, got `bytes` - at `$.a`"),
        ("INT", "long", 2**31, "wrong_type", "Expected `int` <= 2147483647 - at `$.a`"),
        ("DOUBLE", "double", float("nan"), "wrong_type", "Expected `float` >= -1.7976931348623157e+308 - at `$.a`"),
        ("TIMESTAMP", "string", "soon", "invalid_time", "Expected a time, found 'soon'"),
        ("DATE", {"type": "long", "logicalType": "timestamp-millis"}, NOON, "wrong_type",
         "Expected `date`, got `datetime` - at `$.a`"),
    ],
)  # fmt: skip
def test_value_that_does_not_fit_has_the_reason_of_json(
    ddl: str, kind: Any, value: Any, reason: str, detail: str
) -> None:
    found = read_one(ddl, kind, value)
    assert (found.reason, found.detail[: len(detail)]) == (reason, detail)


def test_time_beyond_the_years_of_tables_is_rejected() -> None:
    schema = record(("a", {"type": "long", "logicalType": "timestamp-millis"}))
    found = parsed_as(fields("a TIMESTAMP"), plain(schema), avro_bytes(record(("a", "long")), {"a": 2**62}))
    assert found.rejections[0].reason == "invalid_time"


@pytest.mark.parametrize("days", [-719_163, 2_932_897, -(2**31), 2**31 - 1])
@pytest.mark.parametrize("ddl", ["a DATE", "b STRING"])
def test_day_of_no_year_is_rejected_whether_anybody_reads_it_or_not(ddl: str, days: int) -> None:
    schema = record(("a", {"type": "int", "logicalType": "date"}))
    found = parsed_as(fields(ddl), plain(schema), avro_bytes(record(("a", "int")), {"a": days}))
    assert found.rejections[0].reason == "invalid_time"


@pytest.mark.parametrize("kind", [{"type": "bytes"}, {"type": "fixed", "name": "Amount", "size": 16}])
def test_decimal_keeps_digits_that_its_schema_does_not_promise(kind: dict[str, Any]) -> None:
    number = 12_345_678_901_234_567_890_123_456_789_012_345_678
    schema = record(("a", {**kind, "logicalType": "decimal", "precision": 4, "scale": 2}))
    written = avro_bytes(record(("a", kind)), {"a": number.to_bytes(16, "big")})
    [found] = parsed_as(fields("a DECIMAL(38, 2)"), plain(schema), written).clicks
    assert str(found["a"]) == "123456789012345678901234567890123456.78"


@pytest.mark.parametrize("ddl", ["a DECIMAL(38, 2)", "b STRING"])
def test_decimal_of_a_megabyte_takes_no_time(ddl: str) -> None:
    schema = record(("a", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}))
    began = time.monotonic()
    found = parsed_as(fields(ddl), plain(schema), avro_bytes(record(("a", "bytes")), {"a": b"\x7f" * 1_000_000}))
    assert time.monotonic() - began < 5
    assert [why.detail for why in found.rejections.values()] in (
        [], ["Expected `decimal(38,2)`, got `bytes` - at `$.a`"],
    )  # fmt: skip


def test_lenient_field_takes_numbers_of_avro() -> None:
    schema = record(("a", "double"), ("b", "string"), ("c", "double"))
    click = pa.schema([with_reading(field, Reading(is_lenient=True)) for field in fields("a STRING, b INT, c STRING")])
    first, second = (avro_bytes(schema, {"a": 8.25, "b": "5", "c": c}) for c in (1.0, float("inf")))
    clicks, rejections = parsed_as(click, plain(schema), first, second)
    assert clicks[0].as_py() == {"a": "8.25", "b": 5, "c": "1.0"}
    assert rejections == {1: Rejection("wrong_type", "Expected a number, found inf - at `$.c`")}


def test_fields_are_found_by_their_paths() -> None:
    pair = record(("key", "string"), ("value", "string"), name="Pair")
    schema = record(("meta", record(("id", "string"), name="Meta")), ("params", {"type": "array", "items": pair}))
    click = pa.schema([
        with_reading(pa.field("id", pa.string(), nullable=False), Reading(paths=("meta.id",))),
        with_reading(pa.field("page", pa.string(), nullable=False), Reading(paths=("params[key=page].value",))),
        with_reading(pa.field("shop", pa.string()), Reading(constant="eu")),
    ])  # fmt: skip
    page = {"key": "page", "value": "/home"}
    good = avro_bytes(schema, {"meta": {"id": "c1"}, "params": [page]})
    bad = avro_bytes(schema, {"meta": {"id": "c2"}, "params": []})
    twice = avro_bytes(schema, {"meta": {"id": "c3"}, "params": [page, page]})
    clicks, rejections = parsed_as(click, plain(schema), good, bad, twice)
    assert clicks[0].as_py() == {"id": "c1", "page": "/home", "shop": "eu"}
    assert {row: rejection.reason for row, rejection in rejections.items()} == {1: "missing_field", 2: "duplicate_key"}


SCHEMA = record(("id", "string"))


@pytest.mark.parametrize(
    ("raw", "reason", "detail"),
    [
        (None, "tombstone", "expected a record, found no value at all"),
        (b"", "empty_record", "expected a record, found nothing"),
        (b"\x06ab", "malformed_avro", "expected more than the 3 bytes of the record, as its schema says"),
        (b"\x04\xff\xfe", "malformed_avro", "the record does not fit its schema: UnicodeDecodeError"),
        (b"\x04abc", "malformed_avro", "expected the record to end after 3 bytes, as its schema says, found 4"),
        (b"\x03ab", "malformed_avro", "expected more than the 3 bytes of the record, as its schema says"),
        (b"\xff" * 20, "malformed_avro", "the record does not fit its schema"),
        (b"\x80" * 2**20 + b"\x01", "too_large", "expected at most 1048576 bytes"),
    ],
)
def test_record_that_is_no_avro_is_rejected(raw: bytes | None, reason: str, detail: str) -> None:
    good = avro_bytes(SCHEMA, {"id": "c1"})
    clicks, rejections = parsed_as(fields("id STRING NOT NULL"), plain(SCHEMA), good, raw, good)
    assert list(rejections) == [1]
    assert (rejections[1].reason, rejections[1].detail[: len(detail)]) == (reason, detail)
    assert clicks.field("id").to_pylist() == ["c1", None, "c1"]


def test_schema_within_itself_is_refused() -> None:
    tree = record(("below", ["null", "Tree"]), name="Tree")
    with pytest.raises(UndecodableError, match="Tree refers to itself, which is not supported"):
        parsed([json.dumps(tree)])
    twice = record(("a", record(("x", "int"), name="Same")), ("b", "Same"))
    parsed([json.dumps(twice)])


@pytest.mark.parametrize("nothing", ["null", record(name="Nothing"), {"type": "fixed", "name": "F", "size": 0}])
def test_list_of_what_takes_no_bytes_is_refused(nothing: Any) -> None:
    with pytest.raises(UndecodableError, match="an array of elements that take no bytes"):
        parsed([json.dumps(record(("a", {"type": "array", "items": nothing})))])


@pytest.mark.parametrize("text", ["", "{", '{"type": "record"}', '"unheard"', "7"])
def test_text_that_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(UndecodableError):
        parsed([text])


def test_each_record_is_read_with_the_schema_that_it_names(registry: Registry) -> None:
    old, new = record(("id", "string")), record(("price", ["null", "double"]), ("id", "string"))
    first, second = (registry.register("clicks-value", json.dumps(schema)) for schema in (old, new))
    records = [
        framed(first, avro_bytes(old, {"id": "c1"})),
        framed(second, avro_bytes(new, {"id": "c2", "price": 8.25})),
        framed(first, avro_bytes(old, {"id": "c3"})),
    ]
    clicks, rejections = parsed_as(
        fields("id STRING NOT NULL, price DOUBLE"), Wire("avro", registry.url), *records, framed(77, b"")
    )
    assert clicks.field("id").to_pylist() == ["c1", "c2", "c3", None]
    assert clicks.field("price").to_pylist() == [None, 8.25, None, None]
    assert rejections == {3: Rejection("unknown_schema", "the schema registry knows no schema 77")}
    assert len(registry.asked) == 3


def test_records_are_read_as_the_schema_of_the_configuration_with_its_defaults(registry: Registry) -> None:
    written = record(("event", "string"))
    read_as = record(("id", "string"), ("shop", "string"))
    read_as["fields"][0]["aliases"], read_as["fields"][1]["default"] = ["event"], "eu"
    known = registry.register("clicks-value", json.dumps(written))
    other = registry.register("others-value", json.dumps(record(("foreign", "string"))))
    wire = Wire("avro", registry.url, schema=json.dumps(read_as).encode())
    clicks, rejections = parsed_as(
        fields("id STRING NOT NULL, shop STRING"), wire,
        framed(known, avro_bytes(written, {"event": "c1"})), framed(other, avro_bytes(SCHEMA, {"id": "x"})),
    )  # fmt: skip
    assert clicks[0].as_py() == {"id": "c1", "shop": "eu"}
    assert rejections[1].reason == "malformed_avro"


def test_schema_is_completed_by_those_that_it_refers_to(registry: Registry) -> None:
    inner = record(("url", "string"), name="Page")
    registry.register("page", json.dumps(inner))
    outer = record(("id", "string"), ("page", "Page"))
    number = registry.register("clicks-value", json.dumps(outer), references=(("Page", "page", 1),))
    written = avro_bytes(record(("id", "string"), ("page", inner)), {"id": "c1", "page": {"url": "/"}})
    [click] = parsed_as(fields("id STRING, page STRUCT<url: STRING>"), Wire("avro", registry.url),
                        framed(number, written)).clicks  # fmt: skip
    assert click.as_py() == {"id": "c1", "page": {"url": "/"}}
