import json
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pytest

from clickscore.scoring.contract import parse_ddl
from clickscore.scoring.parsing import Parser
from clickscore.scoring.reading import Reading, steps_of, with_reading
from clickscore.scoring.record_tree import Node, plant, put

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def mapped(ddl: str, **paths: Any) -> pa.Schema:
    """Return the fields, each read from a path, from several, or as a whole reading says."""
    readings = {
        name: path if isinstance(path, Reading) else Reading((path,) if isinstance(path, str) else path)
        for name, path in paths.items()
    }
    fields = [with_reading(field, readings.get(field.name, Reading())) for field in parse_ddl(ddl, "here")]
    return pa.schema(fields)


def outcomes(click: pa.Schema, *records: Any) -> list[Any]:
    """Return the values of each click, or the reason and detail of its rejection."""
    raw = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records]
    clicks, rejections = Parser(click).parse(pa.array(raw, pa.binary()))
    found = [tuple(rejections[row]) if row in rejections else list(click.values())
             for row, click in enumerate(clicks.to_pylist())]  # fmt: skip
    alone = [Parser(click).parse(pa.array([each], pa.binary())) for each in raw]
    assert [one.rejections.get(0) for one in alone] == [rejections.get(row) for row in range(len(raw))]
    return found


def test_field_is_read_under_another_name_and_through_objects() -> None:
    click = mapped("id STRING NOT NULL, url STRING, w INT, kind STRING", id="messageId", url="context.page.url",
                   w="context.screen.width")  # fmt: skip
    whole = {"messageId": "a", "kind": "x", "context": {"page": {"url": "/"}, "screen": {"width": 3}}}
    assert outcomes(click, whole, {"messageId": "b"}, {"messageId": "c", "context": None, "url": "no"},
                    {"messageId": "d", "context": {"page": None, "screen": {}}}) == [
        ["a", "/", 3, "x"], ["b", None, None, None], ["c", None, None, None], ["d", None, None, None],
    ]  # fmt: skip


def test_reason_and_detail_name_the_path_in_the_record() -> None:
    click = mapped("url STRING NOT NULL, at TIMESTAMP, sku STRING", url="context.page.url", at="sent.at",
                   sku="products[0].sku")  # fmt: skip
    found = outcomes(
        click, {}, {"context": None}, {"context": {"page": {}}}, {"context": {"page": {"url": 5}}}, {"context": "x"},
        {"context": {"page": {"url": "/"}}, "sent": {"at": "noon"}},
        {"context": {"page": {"url": "/"}}, "sent": {"at": "9999-12-31T23:59:59-01:00"}},
        {"context": {"page": {"url": "/"}}, "products": [{"sku": 5}]},
    )  # fmt: skip
    assert found[:5] == [
        ("missing_field", "context is missing"),
        ("missing_field", "context is null"),
        ("missing_field", "context.page.url is missing"),
        ("wrong_type", "Expected `str`, got `int` - at `$.context.page.url`"),
        ("wrong_type", "Expected `object`, got `str` - at `$.context`"),
    ]
    assert [reason for reason, _ in found[5:]] == ["invalid_time", "invalid_time", "wrong_type"]
    assert found[5][1].endswith(" - at `$.sent.at`")
    assert found[6][1] == "sent.at: expected a time in the years 1 to 9999 of UTC"
    assert found[7][1].endswith(" - at `$.products[0].sku`")


def test_element_of_a_list_is_read_by_its_number() -> None:
    click = mapped("sku STRING, second STRING NOT NULL, tag STRING", sku="products[0].sku", second="products[1].sku",
                   tag="tags[1]")  # fmt: skip
    assert outcomes(click, {"products": [{"sku": "a"}, {"sku": "b"}], "tags": ["x", "y"]},
                    {"products": [None, {"sku": "b"}, {}], "tags": []},
                    {"products": [{"sku": "a"}]}, {}) == [
        ["a", "b", "y"], [None, "b", None],
        ("missing_field", "products[1].sku is missing"), ("missing_field", "products is missing"),
    ]  # fmt: skip


def params(**values: Any) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"int_value" if type(value) is int else "string_value": value}}
            for key, value in values.items()]  # fmt: skip


def test_entry_of_a_key_value_list_is_read_by_its_key() -> None:
    click = mapped(
        "page STRING, session BIGINT NOT NULL, title STRING",
        page="event_params[key=page_location].value.string_value",
        session="event_params[key=ga_session_id].value.int_value",
        title='event_params[key="page title"].value.string_value',
    )
    twice = params(page_location="/") + params(page_location="/b", ga_session_id=1)
    assert outcomes(click, {"event_params": params(ga_session_id=7, page_location="/", other="x")},
                    {"event_params": [None, *params(ga_session_id=7), {"key": None}, {}]},
                    {"event_params": params(page_location="/")}, {"event_params": twice},
                    {"event_params": [*params(other="x"), *params(other="y"), *params(ga_session_id=1)]}) == [
        ["/", 7, None], [None, 7, None],
        ("missing_field", "event_params[key=ga_session_id].value.int_value is missing"),
        ("duplicate_key",
         "expected each entry once, found that of event_params[key=page_location].value.string_value twice"),
        [None, 1, None],
    ]  # fmt: skip


def test_first_of_several_that_is_there_is_read() -> None:
    click = mapped("visitor STRING NOT NULL", visitor=("userId", "context.anonymousId"))
    context = {"anonymousId": "a"}
    assert outcomes(click, {"userId": "u", "context": context}, {"userId": None, "context": context},
                    {"context": context}, {"context": {}}, {"userId": 5, "context": context}) == [
        ["u"], ["a"], ["a"], ("missing_field", "userId or context.anonymousId is missing"),
        ("wrong_type", "Expected `str | null`, got `int` - at `$.userId`"),
    ]  # fmt: skip


def test_field_is_made_of_the_texts_and_numbers_at_several_paths() -> None:
    of_parts = Reading(("user.id", "at", "items[0].sku"), is_lenient=True, is_joined=True)
    click = mapped("id STRING NOT NULL, at TIMESTAMP, user STRING", id=of_parts, user="user.id")
    user, items = {"id": "u"}, [{"sku": 5.0}]
    assert outcomes(click, {"user": user, "at": 1772366400000000, "items": items},
                    {"user": user, "at": "2026-03-01 12:00:00 UTC", "items": [{"sku": "a|b"}]},
                    {"user": user, "items": items}, {"user": user, "at": 1772366400, "items": []},
                    {"user": user, "at": 1772366400, "items": [{"sku": {}}]}) == [
        ["u|1772366400000000|5.0", NOON, "u"], ["u|2026-03-01 12:00:00 UTC|a|b", NOON, "u"],
        ("missing_field", "at is missing"), ("missing_field", "user.id + at + items[0].sku is missing"),
        ("wrong_type", "Expected `str`, got `object` - at `$.items[0].sku`"),
    ]  # fmt: skip


def test_field_that_may_be_null_is_null_where_one_of_its_parts_is() -> None:
    click = mapped("id STRING, n BIGINT", id=Reading(("a", "p[key=b].v"), is_lenient=True, is_joined=True))
    entries = [{"key": "b", "v": "y"}]
    assert outcomes(click, {"a": "x", "p": entries}, {"a": "x", "n": 1}, {"a": None}, {"a": "x", "p": entries * 2}) == [
        ["x|y", None], [None, 1], [None, None],
        ("duplicate_key", "expected each entry once, found that of a + p[key=b].v twice"),
    ]  # fmt: skip


def test_key_that_a_part_of_a_field_has_twice_is_found() -> None:
    click = mapped("id STRING NOT NULL", id=Reading(("a", "b.c"), is_lenient=True, is_joined=True))
    twice = b'{"a":"x","b":{"c":1,"c":2}}'
    assert outcomes(click, b'{"a":"x","b":{"c":1}}', twice) == [
        ["x|1"], ("duplicate_key", "expected each key once, found b.c twice")
    ]  # fmt: skip


def test_constant_is_the_same_in_every_click_and_in_no_rejected_record() -> None:
    click = mapped("id STRING NOT NULL, shop STRING NOT NULL, since TIMESTAMP, n INT", shop=Reading(constant="eu"),
                   n=Reading(constant=0), since=Reading(constant="2026-03-01 12:00:00 UTC"))  # fmt: skip
    [found, *others] = outcomes(click, {"id": "a", "shop": "us"}, {}, b"{")
    assert (found[0], found[1], found[2].isoformat(), found[3]) == ("a", "eu", "2026-03-01T12:00:00+00:00", 0)
    assert [reason for reason, _ in others] == ["missing_field", "malformed_json"]
    assert Parser(click).parse(pa.array([b"{", b'{"id":"a"}'])).clicks[0].as_py()["shop"] is None


def test_format_zone_and_leniency_hold_at_a_path() -> None:
    click = mapped("at TIMESTAMP, price DOUBLE", at=Reading(("sent.at",), None, "%d.%m.%Y", "Europe/Zurich"),
                   price=Reading(("items[0].price",), is_lenient=True))  # fmt: skip
    [[time, price]] = outcomes(click, {"sent": {"at": "01.03.2026"}, "items": [{"price": "8.25"}]})
    assert (time.isoformat(), price) == ("2026-02-28T23:00:00+00:00", 8.25)


def test_place_may_be_read_as_several_types_and_by_several_fields() -> None:
    click = mapped("a STRING, b STRING, n BIGINT, t STRING, context STRUCT<page: STRUCT<url: STRING>>",
                   a="context.page.url", b="context.page.url", n="x", t=Reading(("x",), is_lenient=True))  # fmt: skip
    assert len(plant(click)[0]) == 2
    page = {"page": {"url": "/"}}
    assert outcomes(click, {"context": page, "x": 5}, {"context": {"page": {}}, "x": "5"}, {}) == [
        ["/", "/", 5, "5", page],
        ("wrong_type", "Expected `int | null`, got `str` - at `$.x`"),
        [None] * 5,
    ]


@pytest.mark.parametrize("name", ["event.time", "$current_url", "First Name", "page-url"])
def test_field_may_have_any_name_in_the_record(name: str) -> None:
    click = mapped("a STRING NOT NULL", a=f'properties."{name}"')
    assert outcomes(click, {"properties": {name: "x"}}, {"properties": {}}) == [
        ["x"], ("missing_field", f"properties.{name} is missing"),
    ]  # fmt: skip


@pytest.mark.parametrize(("record", "path"), [
    (b'{"context":{"url":"/","url":"/b"}}', "context.url"),
    (b'{"context":{"url":"/","other":1,"other":2}}', "context.other"),
    (b'{"context":{"url":"/"},"context":{"url":"/"}}', "context"),
    (b'{"context":{"url":"2"},"at":"2026-03-01 12:00:00 UTC","at":"2026-03-01 12:00:00 UTC"}', "at"),
    (b'{"at":"2026-03-01 12:00:00 UTC","at":"2026-03-01 12:00:00 UTC"}', "at"),
    (b'{"id":"a","id":"b"}', "id"),
    (b'{"userId":"a","items":[{"n":1},{"n":1,"n":2}]}', "items[1].n"),
])  # fmt: skip
def test_key_that_is_there_twice_is_found_in_the_objects_on_the_way(record: bytes, path: str) -> None:
    ddl = "id STRING, at TIMESTAMP, url STRING"
    paths: dict[str, Any] = {"url": "context.url", "id": ("id", "userId")}
    for click in (mapped(ddl, **paths), mapped(f"{ddl}, n INT", n="items[0].n", **paths)):
        if path.startswith("items") and "n" not in click.names:
            continue
        assert outcomes(click, record, {"context": {"url": "/"}, "x": {"y": 1}}, {"id": "a", "context": {}}) == [
            ("duplicate_key", f"expected each key once, found {path} twice"),
            [None, None, "/"] + [None] * (len(click) - 3),
            ["a", None, None] + [None] * (len(click) - 3),
        ]  # fmt: skip


def test_clean_records_are_not_looked_into() -> None:
    click = mapped("url STRING, w INT, v STRING", url="context.page.url", w="context.screen.width", v=("u", "a"))
    parser, records = (
        Parser(click),
        [{"context": {"page": {"url": "/"}, "screen": {"width": 1}}, "a": "x"}, {}, {"u": "x"}],
    )
    raw = pa.array([json.dumps(each, separators=(",", ":")).encode() for each in records])
    clicks = [parser._decoder.decode(each.as_py()) for each in raw]
    passed = parser._decoder.passed_objects(clicks)
    assert passed.tolist() == [3, 0, 0]
    assert parser._keys.suspects(raw, parser.parse(raw).clicks.flatten(), passed, {}) == {}


def test_example_of_a_record_has_the_values_where_they_are_read() -> None:
    click = mapped(
        "id STRING, url STRING, sku STRING, page STRING, n BIGINT",
        id="messageId", url="context.page.url", sku="context.items[0].sku", page="params[key=page].value.text",
        n="params[key=n].value.int",
    )  # fmt: skip
    record: dict[str, Any] = {}
    for number, field in enumerate(click):
        put(record, steps_of(field)[0], number if field.name == "n" else field.name)
    assert record == {
        "messageId": "id", "context": {"page": {"url": "url"}, "items": [{"sku": "sku"}]},
        "params": [{"key": "page", "value": {"text": "page"}}, {"key": "n", "value": {"int": 4}}],
    }  # fmt: skip
    assert outcomes(click, record) == [["id", "url", "sku", "page", 4]]


def test_tree_refuses_a_second_type_at_a_place() -> None:
    text, number = (pa.string(), Reading()), (pa.int32(), Reading())
    tree = Node()
    tree.add(("a", "b"), text, False)
    assert tree.takes(("a", "b"), text)
    assert tree.takes(("a", "c"), number)
    assert not tree.takes(("a", "b"), number)
    assert not tree.takes(("a",), text)
    assert not tree.takes(("a", 0), text)
    assert not tree.takes(("a", "b", "c"), text)
