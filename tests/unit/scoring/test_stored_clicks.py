"""Clicks of a table, as Spark hands them over: they are clicks already, whatever they have come from."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import pyarrow as pa

from clickscore.scoring import decoding
from clickscore.scoring.ddl import read_fields
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.parsing import Parser

NOON = dt.datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=dt.timezone.utc)


def schema(ddl: str) -> pa.Schema:
    fields, problems = read_fields(ddl)
    assert not problems
    return fields


def stored(click: pa.Schema, *clicks: dict[str, Any]) -> pa.StructArray:
    """Return clicks as a table has them, which knows nothing of what is required."""
    return pa.array(clicks, pa.struct([field.with_nullable(True) for field in click]))


def test_click_of_a_table_keeps_every_value() -> None:
    click = schema(
        "id STRING NOT NULL, at TIMESTAMP NOT NULL, price DOUBLE, ratio FLOAT, sum DECIMAL(38, 20), day DATE, "
        "prices ARRAY<DOUBLE>, page STRUCT<url: STRING, at: TIMESTAMP>, more MAP<STRING, FLOAT>"
    )
    whole = {
        "id": "c1", "at": NOON, "price": 0.1 + 0.2, "ratio": 0.10000000149011612,
        "sum": Decimal("1.00000000000000000001"), "day": dt.date(2026, 3, 1), "prices": [math.inf, None, -0.0],
        "page": {"url": None, "at": NOON}, "more": [("a", 1.5), ("b", None)],
    }  # fmt: skip
    found = Parser(click).parse(stored(click, whole, {"id": "c2", "at": NOON}))
    assert found.rejections == {}
    assert found.clicks.type == pa.struct([field.with_nullable(True) for field in click])
    assert found.clicks[0].as_py() == whole
    assert str(found.clicks[0]["prices"].as_py()[2]) == "-0.0"
    assert found.clicks[1].as_py() == {**dict.fromkeys(click.names), "id": "c2", "at": NOON}
    [price] = Parser(schema("price DOUBLE")).parse(pa.array([{"price": math.nan}])).clicks.field("price")
    assert math.isnan(price.as_py())


def test_click_of_a_table_is_never_too_large() -> None:
    click = schema("page STRING")
    page = "x" * (decoding.MAX_RECORD_BYTES + 1)
    assert Parser(click).parse(stored(click, {"page": page})).clicks.to_pylist() == [{"page": page}]


def test_click_of_a_table_that_lacks_what_the_schema_requires_by_now_is_rejected() -> None:
    click = schema("id STRING NOT NULL, page STRUCT<url: STRING NOT NULL, on: STRUCT<kind: STRING NOT NULL>>")
    clicks = stored(
        click,
        {"id": None, "page": {"url": None}},
        {"id": "c2", "page": None},
        {"id": "c3", "page": {"url": "/", "on": {"kind": None}}},
        {"id": "c4", "page": {"url": "/", "on": None}},
    )
    found = Parser(click).parse(clicks)
    assert found.rejections == {
        0: Rejection("missing_field", "id is missing"), 2: Rejection("missing_field", "page.on.kind is missing"),
    }  # fmt: skip
    assert [each["id"] for each in found.clicks.to_pylist()] == [None, "c2", None, "c4"]
    assert Parser(click).parse(clicks.slice(0, 0)).clicks.to_pylist() == []


def test_times_of_a_session_in_another_zone_are_the_same_times() -> None:
    there = pa.array([NOON], pa.timestamp("us", tz="America/New_York"))
    clicks = pa.StructArray.from_arrays([there], ["at"])
    found = Parser(schema("at TIMESTAMP NOT NULL")).parse(clicks)
    assert found.clicks.field("at").to_pylist() == [NOON]
    assert found.clicks.field("at").type == pa.timestamp("us", tz="UTC")


def test_click_that_is_older_than_a_required_field_within_a_struct_is_rejected_alone() -> None:
    click = schema("id STRING NOT NULL, geo STRUCT<city: STRING, country: STRING NOT NULL>")
    geo = pa.struct([("city", pa.string()), ("country", pa.string())])  # as Spark reads it: nothing is NOT NULL
    rows = [{"id": "c1", "geo": {"city": "Ulm"}}, {"id": "c2", "geo": {"country": "de"}}, {"id": "c3", "geo": None}]
    found = Parser(click).parse(pa.array(rows, pa.struct([("id", pa.string()), ("geo", geo)])))
    assert found.rejections == {0: Rejection("missing_field", "geo.country is missing")}
    assert found.clicks.to_pylist()[1:] == [{"id": "c2", "geo": {"city": None, "country": "de"}}, rows[2]]
    assert found.clicks.type.field("geo").type == click.field("geo").type


def test_fields_of_a_struct_are_told_by_their_names_as_a_table_has_the_newest_last() -> None:
    click = schema("geo STRUCT<country: STRING NOT NULL, city: STRING>")
    geo = pa.struct([("city", pa.string()), ("country", pa.string())])
    found = Parser(click).parse(pa.array([{"geo": {"city": "Ulm", "country": "de"}}], pa.struct([("geo", geo)])))
    assert found.clicks.to_pylist() == [{"geo": {"country": "de", "city": "Ulm"}}]
    fewer = pa.struct([("country", pa.string())])
    found = Parser(click).parse(pa.array([{"geo": {"country": "de"}}], pa.struct([("geo", fewer)])))
    assert found.clicks.to_pylist() == [{"geo": {"country": "de", "city": None}}]


def test_field_that_elements_of_a_list_or_a_map_are_too_old_for_is_found_missing_in_them_alone() -> None:
    click = schema(
        "id STRING, items ARRAY<STRUCT<sku: STRING, cents: INT NOT NULL>>, by MAP<STRING, STRUCT<n: INT NOT NULL>>"
    )
    older = pa.struct([
        ("id", pa.string()), ("items", pa.list_(pa.struct([("sku", pa.string())]))),
        ("by", pa.map_(pa.string(), pa.struct([("m", pa.int32())]))),
    ])  # fmt: skip
    clicks = [
        {"id": "c0", "items": [{"sku": "before the slice"}]},
        {"id": "c1", "items": [{"sku": "a"}, None]},
        {"id": "c2", "items": [None]},
        {"id": "c3", "items": [], "by": []},
        {"id": "c4", "by": [("x", None), ("y", {"m": 1})]},
        {"id": "c5", "items": None, "by": [("x", None)]},
    ]
    found = Parser(click).parse(pa.array(clicks, older)[1:])
    assert found.rejections == {
        0: Rejection("missing_field", "items[...].cents is missing"),
        3: Rejection("missing_field", "by[...].n is missing"),
    }
    kept = found.clicks.to_pylist()
    assert kept[1] == {"id": "c2", "items": [None], "by": None}
    assert kept[2] == {"id": "c3", "items": [], "by": []}
    assert kept[4] == {"id": "c5", "items": None, "by": [("x", None)]}


def test_object_that_older_clicks_do_not_have_is_null_with_all_its_fields() -> None:
    click = schema("page STRUCT<url: STRING, on: STRUCT<kind: STRING>, tags: ARRAY<STRING>>")
    older = pa.array([{"page": {"url": "/"}}], pa.struct([("page", pa.struct([("url", pa.string())]))]))
    found = Parser(click).parse(older)
    assert found.clicks.to_pylist() == [{"page": {"url": "/", "on": None, "tags": None}}]


def test_elements_of_a_list_keep_their_values_whatever_the_order_of_their_fields() -> None:
    click = schema("items ARRAY<STRUCT<cents: INT NOT NULL, sku: STRING>>")
    older = pa.struct([("items", pa.list_(pa.struct([("sku", pa.string()), ("cents", pa.int32())])))])
    clicks = [{"items": [{"sku": "a", "cents": 1}]}, {"items": None}, {"items": [{"sku": None, "cents": 2}]}]
    found = Parser(click).parse(pa.array(clicks, older))
    assert found.rejections == {}
    assert found.clicks.to_pylist() == clicks
