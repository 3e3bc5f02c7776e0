"""Records of Protobuf: what becomes of each kind of field, and why a record is rejected."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from tests.support.wire import framed, parsed_as, proto_file, proto_message, serialized

from clickscore.scoring.ddl import read_fields
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.reading import Reading, with_reading
from clickscore.scoring.wire import Wire
from shopsim.registry import Registry

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone.utc)


def fields(ddl: str) -> pa.Schema:
    return read_fields(ddl)[0]


def plain(file: FileDescriptorProto) -> Wire:
    return Wire("protobuf", schema=FileDescriptorSet(file=[file]).SerializeToString(), message="shop.Click")


def read_one(ddl: str, field: str, **value: Any) -> Any:
    """Return what a field becomes: its value, or why the record is rejected."""
    file = proto_file(field, "bool is_sent")  # a message that holds nothing has no bytes, and is an empty record
    record = proto_message(file)(is_sent=True, **value).SerializeToString()
    clicks, rejections = parsed_as(fields(f"a {ddl}"), plain(file), record)
    return rejections.get(0) or clicks.field("a")[0].as_py()


@pytest.mark.parametrize(
    ("ddl", "field", "value", "found"),
    [
        ("STRING", "string a", "Zürich", "Zürich"),
        ("BIGINT", "int64 a", -(2**63), -(2**63)),
        ("INT", "int32 a", 7, 7),
        ("DOUBLE", "double a", 8.25, 8.25),
        ("DECIMAL(9, 2)", "double a", 8.25, pytest.approx(8.25)),
        ("BOOLEAN", "bool a", True, True),
        ("ARRAY<STRING>", "repeated string a", ["x", "y"], ["x", "y"]),
        ("STRING", "google.protobuf.StringValue a", {"value": ""}, ""),
        ("TIMESTAMP", "google.protobuf.Timestamp a", NOON, NOON),
        ("TIMESTAMP", "string a", "2026-03-01 12:00:00 UTC", NOON),
        ("TIMESTAMP", "string a", "2026-03-01T12:00:00.0000019Z", NOON + dt.timedelta(microseconds=1)),
        ("TIMESTAMP", "int64 a", 1_772_366_400_000, NOON),
    ],
)
def test_value_of_each_kind_is_read(ddl: str, field: str, value: Any, found: Any) -> None:
    result = read_one(ddl, field, a=value)
    assert (float(result) if ddl.startswith("DECIMAL") else result) == found


def test_field_that_was_not_set_is_absent_only_where_that_can_be_told() -> None:
    assert read_one("STRING", "optional string a") is None
    assert read_one("STRING", "google.protobuf.StringValue a") is None
    assert read_one("STRING", "string a") == ""
    assert read_one("DOUBLE", "double a") == 0.0
    assert read_one("STRING NOT NULL", "optional string a") == Rejection("missing_field", "a is missing")


@pytest.mark.parametrize(
    ("ddl", "field", "value", "reason", "detail"),
    [
        ("STRING", "int64 a", 5, "wrong_type", "Expected `str | null`, got `int` - at `$.a`"),
        ("STRING", "bytes a", b"x", "wrong_type", "Expected `str | null`, got `bytes` - at `$.a`"),
        ("BIGINT", "uint64 a", 2**63, "wrong_type", "Expected `int` <= 9223372036854775807 - at `$.a`"),
        ("DOUBLE", "double a", float("inf"), "wrong_type", "Expected `float` <= 1.797"),
        ("TIMESTAMP", "string a", "soon", "invalid_time", "Expected a time, found 'soon'"),
        (
            "TIMESTAMP",
            "google.protobuf.Timestamp a",
            {"seconds": 2**60},
            "invalid_time",
            "expected a time in the years 1 to",
        ),
    ],
)
def test_value_that_does_not_fit_has_the_reason_of_json(
    ddl: str, field: str, value: Any, reason: str, detail: str
) -> None:
    found = read_one(ddl, field, a=value)
    assert (found.reason, found.detail[: len(detail)]) == (reason, detail)


def file_with_kinds() -> FileDescriptorProto:
    """Return a file whose message has an enum, a map of messages, and a message of its own kind."""
    file = proto_file("string id")
    event = file.enum_type.add(name="Event")
    for name, number in (("VIEW", 0), ("BUY", 4)):
        event.value.add(name=name, number=number)
    click = file.message_type[0]
    kinds = FieldDescriptorProto
    click.field.add(name="event", number=2, label=1, type=kinds.TYPE_ENUM, type_name=".shop.Event")
    click.field.add(name="parent", number=3, label=1, type=kinds.TYPE_MESSAGE, type_name=".shop.Click")
    entry = click.nested_type.add(name="PricesEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=1, type=kinds.TYPE_INT32)
    entry.field.add(name="value", number=2, label=1, type=kinds.TYPE_DOUBLE)
    click.field.add(name="prices", number=4, label=3, type=kinds.TYPE_MESSAGE, type_name=".shop.Click.PricesEntry")
    return file


def test_enums_maps_and_messages_within_are_read() -> None:
    file = file_with_kinds()
    value = proto_message(file)(id="c1", event=4, parent={"id": "c0", "event": 9}, prices={5: 8.25})
    click = fields("id STRING, event STRING, prices MAP<STRING, DOUBLE>, parent STRUCT<id: STRING>")
    [found] = parsed_as(click, plain(file), value.SerializeToString()).clicks
    assert found.as_py() == {"id": "c1", "event": "BUY", "prices": [("5", 8.25)], "parent": {"id": "c0"}}


def test_enum_is_its_number_for_a_field_of_whole_numbers() -> None:
    file, click = file_with_kinds(), fields("event INT")
    [found] = parsed_as(click, plain(file), proto_message(file)(event=4).SerializeToString()).clicks
    assert found.as_py() == {"event": 4}
    unnamed = proto_message(file)(event=9).SerializeToString()
    assert parsed_as(fields("event STRING"), plain(file), unnamed).rejections[0].reason == "wrong_type"


def test_fields_are_found_by_their_paths() -> None:
    file = file_with_kinds()
    click = pa.schema([
        with_reading(pa.field("id", pa.string(), nullable=False), Reading(paths=("parent.parent.id", "parent.id"))),
        with_reading(pa.field("event", pa.string()), Reading(paths=("parent.event",))),
    ])  # fmt: skip
    message = proto_message(file)
    good = message(parent={"id": "c0", "event": 4}).SerializeToString()
    clicks, rejections = parsed_as(click, plain(file), good, message(id="c1").SerializeToString())
    assert clicks[0].as_py() == {"id": "c0", "event": "BUY"}
    assert rejections == {1: Rejection("missing_field", "parent.parent.id or parent.id is missing")}


def test_record_without_bytes_is_no_message_of_which_nothing_was_set() -> None:
    found = parsed_as(fields("a STRING NOT NULL"), plain(proto_file("string a")), b"")
    assert found.rejections == {0: Rejection("empty_record", "expected a record, found nothing")}


@pytest.mark.parametrize("raw", [b"\x0a\x05ab", b"\xff" * 9, b"\x0a\x02\xff\xfe"])
def test_record_that_is_no_message_is_rejected(raw: bytes) -> None:
    found = parsed_as(fields("a STRING"), plain(proto_file("string a")), raw)
    assert found.rejections[0].reason == "malformed_protobuf"
    assert found.rejections[0].detail.startswith("the record is not a shop.Click: ")


def test_each_record_is_read_with_the_schema_and_the_message_that_it_names(registry: Registry) -> None:
    old, new = proto_file("string id"), proto_file("string id", "optional double price")
    second = new.message_type.add(name="Visit")
    second.field.add(name="id", number=7, label=1, type=FieldDescriptorProto.TYPE_STRING)
    numbers = [registry.register("clicks-value", serialized(file), "PROTOBUF") for file in (old, new)]
    click = proto_message(new)(id="c2", price=8.25).SerializeToString()
    visit = proto_message(new, "shop.Visit")(id="v1").SerializeToString()
    clicks, rejections = parsed_as(
        fields("id STRING NOT NULL, price DOUBLE"), Wire("protobuf", registry.url),
        framed(numbers[0], b"\0" + proto_message(old)(id="c1").SerializeToString()),
        framed(numbers[1], b"\0" + click), framed(numbers[1], b"\x02\x02" + visit),
        framed(numbers[1], b"\x02\x06" + visit), framed(99, b"\0"), b"\0\0", b'{"id": "c1"}',
    )  # fmt: skip
    assert clicks.field("id").to_pylist()[:3] == ["c1", "c2", "v1"]
    assert clicks.field("price").to_pylist()[:3] == [None, 8.25, None]
    assert {row: rejection.reason for row, rejection in rejections.items()} == {
        3: "malformed_protobuf", 4: "unknown_schema", 5: "malformed_protobuf", 6: "malformed_protobuf",
    }  # fmt: skip
    assert rejections[6].detail == "expected a zero and four bytes with the id of a schema first, found 7b 22 69 64 22"


def test_schema_is_completed_by_those_that_it_imports(registry: Registry) -> None:
    page = FileDescriptorProto(name="any.proto", package="web", syntax="proto3")
    page.message_type.add(name="Page").field.add(name="url", number=1, label=1, type=9)
    registry.register("page", serialized(page), "PROTOBUF")
    file = proto_file("google.protobuf.Timestamp at", "web.Page page")
    file.dependency.append("web/page.proto")
    number = registry.register("clicks-value", serialized(file), "PROTOBUF", (("web/page.proto", "page", 1),))
    record = b"\x0a\x02\x08\x00" + b"\x12\x03\x0a\x01/"
    [click] = parsed_as(fields("at TIMESTAMP, page STRUCT<url: STRING>"), Wire("protobuf", registry.url),
                        framed(number, b"\0" + record)).clicks  # fmt: skip
    assert click.as_py() == {"at": dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc), "page": {"url": "/"}}


def test_decimal_of_confluent_is_exact_and_one_that_no_column_holds_is_rejected() -> None:
    file = proto_file("confluent.type.Decimal price")
    file.dependency.append("confluent/type/decimal.proto")

    def record(unscaled: bytes, scale: int) -> bytes:
        decimal = b"\x0a" + bytes([len(unscaled)]) + unscaled + b"\x18" + bytes([scale])
        return b"\x0a" + bytes([len(decimal)]) + decimal

    clicks, rejections = parsed_as(
        fields("price DECIMAL(38, 2)"),
        plain(file),
        record(b"\x03\x39", 2),
        record(b"\xff\x38", 1),
        record((10**37 + 1).to_bytes(16, "big"), 2),
        record(b"\x01" * 40, 2),
    )
    assert clicks.field("price").to_pylist() == [
        Decimal("8.25"), Decimal("-20.00"), Decimal("1" + "0" * 35 + ".01"), None,
    ]  # fmt: skip
    assert rejections[3].reason == "wrong_type"


def test_default_of_a_field_does_not_stand_for_one_that_was_not_set() -> None:
    file = proto_file("string id", "int32 quantity")
    file.syntax = "proto2"
    file.message_type[0].field[1].default_value = "5"
    click, message = fields("id STRING, quantity INT"), proto_message(file)
    records = [message(id="c1").SerializeToString(), message(id="c2", quantity=0).SerializeToString()]
    assert parsed_as(click, plain(file), *records).clicks.field("quantity").to_pylist() == [None, 0]
