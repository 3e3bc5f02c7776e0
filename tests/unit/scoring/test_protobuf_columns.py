"""Records of Protobuf that are read at once become what they become one by one, whatever is in them."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from tests.support.wire import proto_file, proto_message

from clickscore.scoring import protobuf_columns, record_groups
from clickscore.scoring.ddl import read_fields
from clickscore.scoring.parsing import Parsed, Parser
from clickscore.scoring.protobuf_schemas import message_of
from clickscore.scoring.reading import Reading, with_reading
from clickscore.scoring.wire import Wire, with_wire

RECORDS = 400
NOON_S = 1_772_366_400
DDL = (
    "id STRING NOT NULL, at TIMESTAMP NOT NULL, sent TIMESTAMP, price DOUBLE, ratio DOUBLE NOT NULL, "
    "quantity SMALLINT, big BIGINT, is_new BOOLEAN, kind STRING, visits INT, foreign STRING, url STRING, depth BIGINT, "
    "title STRING, is_last BOOLEAN"
)
PATHS = {"url": ("page.url",), "depth": ("page.depth",), "title": ("page.title",)}


def schema_file() -> FileDescriptorProto:
    """Return a file whose message has fields of each kind that is read at once, and lists that nobody asks for."""
    file = proto_file(
        "string id", "google.protobuf.Timestamp at", "int64 sent", "optional double price", "float ratio",
        "optional int32 quantity", "uint64 big", "bool is_new", "shop.Kind kind", "shop.Page page",
        "repeated string tags", "repeated shop.Page seen", "bytes blob", "sint64 balance", "fixed32 port",
        "sfixed64 code", "google.protobuf.Int64Value visits", "optional bool is_last",
    )  # fmt: skip
    fields = {field.name: field for field in file.message_type[0].field}
    fields["kind"].type = FieldDescriptorProto.TYPE_ENUM
    fields["is_last"].number = 700  # a tag of two bytes
    kind = file.enum_type.add(name="Kind")
    for name, number in (("VIEW", 0), ("BUY", 4), ("LEAVE", -1)):
        kind.value.add(name=name, number=number)
    page = file.message_type.add(name="Page")
    page.oneof_decl.add(name="heading")
    for number, (name, kind_number) in enumerate({"url": 9, "depth": 3}.items(), 1):
        page.field.add(name=name, number=number, label=1, type=kind_number)
    for number, name in enumerate(("title", "icon"), 3):
        page.field.add(name=name, number=number, label=1, type=9, oneof_index=0)
    return file


def click() -> pa.Schema:
    return pa.schema([
        with_reading(field, Reading(paths=PATHS.get(field.name, ()))) for field in read_fields(DDL)[0]
    ])  # fmt: skip


def wire_of(file: FileDescriptorProto) -> Wire:
    return Wire("protobuf", schema=FileDescriptorSet(file=[file]).SerializeToString(), message="shop.Click")


def is_read(file: FileDescriptorProto, click: pa.Schema) -> bool:
    wire = wire_of(file)
    return protobuf_columns.reader(message_of(wire.schema or b"", "shop.Click"), click) is not None


def page_of(rng: np.random.Generator) -> dict[str, Any]:
    page = {"url": "/ü" * int(rng.integers(0, 90)), "depth": int(rng.integers(-9, 9)), "title": "home", "icon": "i.png"}
    del page["icon" if rng.random() < 0.5 else "title"]
    return {name: value for name, value in page.items() if rng.random() < 0.8}


def value_of(rng: np.random.Generator, number: int) -> dict[str, Any]:
    far = int(10 ** rng.uniform(9, 12)) if rng.random() < 0.05 else 0
    value = {
        "id": f"c{number}", "at": {"seconds": NOON_S + far, "nanos": int(rng.integers(-5, 10**9))},
        "sent": int(10 ** rng.uniform(8.9, 17.1)), "price": float(rng.normal()),
        "ratio": float("nan") if rng.random() < 0.02 else 8.25, "quantity": int(rng.integers(-33_000, 33_000)),
        "big": int(2 ** rng.uniform(0, 63.2)), "is_new": bool(rng.random() < 0.5),
        "kind": (0, 4, -1, 9)[int(rng.choice(4, p=[0.4, 0.4, 0.19, 0.01]))], "page": page_of(rng),
        "tags": ["ä"] * int(rng.integers(0, 5)), "seen": [page_of(rng) for _ in range(int(rng.integers(0, 3)))],
        "blob": b"\xff" * 200, "balance": -int(rng.integers(0, 2**60)), "port": 2**32 - 1, "code": -(2**63),
        "visits": {"value": int(rng.integers(0, 3))}, "is_last": bool(rng.random() < 0.5),
    }  # fmt: skip
    return {name: each for name, each in value.items() if name in ("id", "at", "sent") or rng.random() < 0.8}


def written(rng: np.random.Generator) -> list[bytes | None]:
    message = proto_message(schema_file())
    return [message(**value_of(rng, number)).SerializeToString() for number in range(RECORDS)]


def damaged(rng: np.random.Generator, records: list[bytes | None]) -> list[bytes | None]:
    """Return records of which a part is cut, longer, changed in a byte, said twice, missing, or something else."""
    found: list[bytes | None] = []
    for record in records:
        assert record is not None
        at = int(rng.integers(len(record)))
        others = [
            record[:at], record + b"\0", record[:at] + rng.bytes(1) + record[at + 1 :], None, b"", rng.bytes(at),
            record + record, record + b"\x0a\x01x", b"\xfa\x7f\x01y" + record,
        ]  # fmt: skip
        found.append(others[int(rng.integers(len(others)))] if rng.random() < 0.3 else record)
    return found


def both(monkeypatch: pytest.MonkeyPatch, wire: Wire, fields: pa.Schema, records: pa.Array) -> tuple[Parsed, Parsed]:
    """Return what becomes of records that are read at once, and one by one."""
    parser = Parser(with_wire(fields, wire))
    at_once = parser.parse(records)
    with monkeypatch.context() as patch:
        patch.setattr(record_groups, "LEAST_RECORDS", 10**9)
        return at_once, parser.parse(records)


@pytest.mark.parametrize("seed", range(8))
def test_records_become_what_they_become_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    records = written(rng)
    assert is_read(schema_file(), click())
    for raw in (records, damaged(rng, records)):
        at_once, one_by_one = both(monkeypatch, wire_of(schema_file()), click(), pa.array(raw, pa.binary())[3:])
        assert at_once.rejections == one_by_one.rejections
        assert at_once.clicks.equals(one_by_one.clicks)
        at_once.clicks.validate(full=True)


def left_out(file: FileDescriptorProto, fields: pa.Schema, *records: bytes) -> list[bool]:
    """Return which of some records are left to be read one by one."""
    read = protobuf_columns.reader(message_of(wire_of(file).schema or b"", "shop.Click"), fields)
    assert read
    ends = np.cumsum([len(record) for record in records]).astype(np.int64)
    found = read(np.frombuffer(b"".join(records), np.uint8), np.concatenate([[0], ends[:-1]]), ends)
    assert found
    return list(found[1])


def test_sound_records_are_read_at_once_and_only_others_are_left_out() -> None:
    file, fields = proto_file("string id", "repeated string tags"), read_fields("id STRING NOT NULL")[0]
    message = proto_message(file)
    sound = [message(id="c1", tags=["x"] * count).SerializeToString() for count in (0, 64)]
    many = message(id="c1", tags=["x"] * 65).SerializeToString()
    assert left_out(file, fields, *sound, many, b"\x12\x01x\x0a\x02c1") == [False, False, True, True]


def test_record_with_two_of_a_choice_is_left_out() -> None:
    message, page = proto_message(schema_file()), b"\x1a\x01a\x22\x01b"
    value = {"id": "c1", "at": {}, "sent": NOON_S}
    assert left_out(
        schema_file(), click(),
        message(**value, page={"title": "a"}).SerializeToString(),
        message(**value).SerializeToString() + b"\x52" + bytes([len(page)]) + page,
    ) == [False, True]  # fmt: skip


def test_text_that_is_no_utf8_leaves_all_to_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    file, fields = proto_file("string id", "repeated string tags"), read_fields("id STRING NOT NULL")[0]
    for bad in (b"\x0a\x02\xff\xfe", b"\x0a\x01x\x12\x02\xff\xfe"):
        records = pa.array([b"\x0a\x02c1"] * 100 + [bad], pa.binary())
        at_once, one_by_one = both(monkeypatch, wire_of(file), fields, records)
        assert at_once == one_by_one
        assert at_once.rejections[100].reason == "malformed_protobuf"


def test_record_of_the_older_kind_without_a_required_field_is_left_out() -> None:
    file = proto_file("string id", "string page")
    file.syntax = "proto2"
    file.message_type[0].field[1].label = FieldDescriptorProto.LABEL_REQUIRED
    assert left_out(file, read_fields("id STRING")[0], b"\x0a\x01a\x12\x01b", b"\x0a\x01a") == [False, True]
