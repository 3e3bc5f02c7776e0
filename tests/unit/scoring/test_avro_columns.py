"""Records of Avro that are read at once become what they become one by one, whatever is in them."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.support.wire import avro_bytes

from clickscore.scoring import avro_columns, record_groups
from clickscore.scoring.avro import parsed
from clickscore.scoring.ddl import read_fields
from clickscore.scoring.parsing import Parsed, Parser
from clickscore.scoring.reading import Reading, with_reading
from clickscore.scoring.wire import Wire, with_wire

RECORDS = 400
NOON_MS = 1_772_366_400_000


def nullable(kind: Any) -> list[Any]:
    return ["null", kind]


def record(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": kind} for field, kind in fields.items()]}


def time_in(unit: str) -> dict[str, str]:
    return {"type": "long", "logicalType": unit}


PAGE = record("Page", url="string", depth=nullable("int"))
SCHEMA = record(
    "Click",
    id="string", at=time_in("timestamp-millis"), sent=nullable("long"), nanos=nullable(time_in("timestamp-nanos")),
    local=["long", "null"], kind={"type": "enum", "name": "Kind", "symbols": ["view", "buy"]},
    price=nullable("double"), ratio=nullable("float"), quantity=nullable("int"), big="long", is_new=nullable("boolean"),
    day=nullable({"type": "int", "logicalType": "date"}), page=nullable(PAGE), before=nullable("Page"),
    digest=nullable({"type": "fixed", "name": "Digest", "size": 3}), blob=nullable("bytes"), nothing="null",
    unread_day=nullable({"type": "int", "logicalType": "date"}),
)  # fmt: skip
DDL = (
    "id STRING NOT NULL, at TIMESTAMP NOT NULL, sent TIMESTAMP, nanos TIMESTAMP, kind STRING NOT NULL, price DOUBLE, "
    "ratio DOUBLE, quantity SMALLINT, big BIGINT, is_new BOOLEAN, day DATE, foreign STRING, url STRING, depth BIGINT"
)


def click() -> pa.Schema:
    paths = {"url": ("page.url",), "depth": ("before.depth",)}
    return pa.schema([
        with_reading(field, Reading(paths=paths.get(field.name, ()))) for field in read_fields(DDL)[0]
    ])  # fmt: skip


def some_page(rng: np.random.Generator) -> dict[str, Any] | None:
    return (
        {"url": "/ü" * int(rng.integers(0, 90)), "depth": maybe(rng, int(rng.integers(-9, 9)))} if one_of(rng) else None
    )


def one_of(rng: np.random.Generator) -> bool:
    return bool(rng.random() < 0.7)


def maybe(rng: np.random.Generator, value: Any) -> Any:
    return value if one_of(rng) else None


def value_of(rng: np.random.Generator, number: int) -> dict[str, Any]:
    return {
        "id": f"c{number}", "at": NOON_MS + int(rng.integers(-(10**12), 10**12)),
        "sent": maybe(rng, int(10 ** rng.uniform(8.9, 17.1))), "nanos": maybe(rng, int(rng.integers(-(2**62), 2**62))),
        "local": maybe(rng, int(rng.integers(-(2**62), 2**62))), "kind": ("view", "buy")[int(rng.integers(2))],
        "price": maybe(rng, float(rng.normal())), "ratio": maybe(rng, float("nan") if rng.random() < 0.02 else 8.25),
        "quantity": maybe(rng, int(rng.integers(-33_000, 33_000))), "big": int(2 ** rng.uniform(0, 62.99)),
        "is_new": maybe(rng, one_of(rng)), "day": maybe(rng, int(rng.integers(-800_000, 3_000_000))),
        "page": some_page(rng), "before": some_page(rng), "digest": maybe(rng, b"abc"),
        "blob": maybe(rng, b"\xff" * 200), "nothing": None,
        "unread_day": maybe(rng, int(rng.integers(-800_000, 3_000_000))),
    }  # fmt: skip


def written(rng: np.random.Generator, count: int) -> list[bytes | None]:
    raw = json.loads(json.dumps(SCHEMA).replace('"logicalType"', '"was"'))
    return [avro_bytes(raw, value_of(rng, number)) for number in range(count)]


def damaged(rng: np.random.Generator, records: list[bytes | None]) -> list[bytes | None]:
    """Return records of which a part is cut, longer, changed in a byte, missing, or something else."""
    found: list[bytes | None] = []
    for record in records:
        assert record is not None
        at = int(rng.integers(len(record)))
        others = [record[:at], record + b"\0", record[:at] + rng.bytes(1) + record[at + 1 :], None, b"", rng.bytes(at)]
        found.append(others[int(rng.integers(len(others)))] if rng.random() < 0.3 else record)
    return found


def parsers(monkeypatch: pytest.MonkeyPatch, fields: pa.Schema, schema: Any) -> Any:
    parser = Parser(with_wire(fields, Wire("avro", schema=json.dumps(schema).encode())))

    def both(records: pa.Array) -> tuple[Parsed, Parsed]:
        at_once = parser.parse(records)
        with monkeypatch.context() as patch:
            patch.setattr(record_groups, "LEAST_RECORDS", 10**9)
            return at_once, parser.parse(records)

    return both


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_records_become_what_they_become_one_by_one(
    seed: int, kind: pa.DataType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    records = written(rng, RECORDS)
    both = parsers(monkeypatch, click(), SCHEMA)
    for raw in (records, damaged(rng, records)):
        at_once, one_by_one = both(pa.array(raw, kind)[3:])
        assert at_once.rejections == one_by_one.rejections
        assert at_once.clicks.equals(one_by_one.clicks)
        at_once.clicks.validate(full=True)


def test_most_records_of_a_plain_schema_are_read_at_once() -> None:
    schema = parsed([json.dumps(SCHEMA)])
    assert avro_columns.reads(*schema, click())
    sound = record("Click", id="string", price=nullable("double"))
    records = [avro_bytes(sound, {"id": f"c{number}", "price": None}) for number in range(3)]
    ends = np.cumsum([len(each) for each in records])
    starts = np.concatenate([[0], ends[:-1]])
    data = np.frombuffer(b"".join(records), np.uint8)
    fields = read_fields("id STRING NOT NULL, price DOUBLE")[0]
    found = avro_columns.read_columns(*parsed([json.dumps(sound)]), fields, data, starts, ends)
    assert found
    columns, is_bad = found
    assert [column.to_pylist() for column in columns] == [["c0", "c1", "c2"], [None] * 3]
    assert not is_bad.any()


def test_text_that_is_no_utf8_leaves_all_to_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = record("Click", id="string")
    records = [avro_bytes(schema, {"id": f"c{number}"}) for number in range(100)]
    at_once, one_by_one = parsers(monkeypatch, read_fields("id STRING NOT NULL")[0], schema)(
        pa.array([*records, b"\x04\xff\xfe"], pa.binary())
    )
    assert at_once == one_by_one
    assert at_once.rejections[100].reason == "malformed_avro"


@pytest.mark.parametrize(
    ("ddl", "schema"),
    [
        ("id STRING", record("Click", id="string", tags={"type": "array", "items": "string"})),
        ("id STRING", record("Click", id=["null", "string", "long"])),
        ("id STRING", record("Click", id="long")),
        ("id TIMESTAMP", record("Click", id="string")),
        ("id BIGINT", record("Click", id=time_in("timestamp-millis"))),
        ("id STRUCT<url: STRING>", record("Click", id=PAGE)),
        ("id STRING NOT NULL", record("Click", other="string")),
        ("id DECIMAL(9, 2)", record("Click", id={"type": "bytes", "logicalType": "decimal", "precision": 9})),
        ("id STRING", "string"),
    ],
)
def test_what_is_not_common_is_left_to_the_other_way(ddl: str, schema: Any) -> None:
    assert not avro_columns.reads(*parsed([json.dumps(schema)]), read_fields(ddl)[0])


@pytest.mark.parametrize(
    "reading",
    [Reading(is_lenient=True), Reading(constant="x"), Reading(paths=("a", "b")), Reading(paths=("a[0]",))],
)
def test_field_that_is_read_in_a_way_of_its_own_is_left_to_the_other_way(reading: Reading) -> None:
    fields = pa.schema([with_reading(pa.field("id", pa.string()), reading)])
    assert not avro_columns.reads(*parsed([json.dumps(record("Click", id="string"))]), fields)
