import json
import pickle
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from clickscore.scoring.contract import parse_ddl
from clickscore.scoring.decoding import MAX_RECORD_BYTES
from clickscore.scoring.parsing import Parser, parser
from clickscore.scoring.reading import Reading, with_reading

CLICK = parse_ddl(
    "id STRING NOT NULL, at TIMESTAMP NOT NULL, price DOUBLE, amount DECIMAL(5,2), tags ARRAY<STRING>, "
    "geo STRUCT<lat: DOUBLE, at: TIMESTAMP>, counts MAP<STRING, INT>",
    "here",
)
PARSER = Parser(CLICK)
BOM = b"\xef\xbb\xbf"
NOON = "2026-03-01T12:00:00Z"
NOON_TIME = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
NOTHING = dict.fromkeys(CLICK.names)


def record(**fields: Any) -> bytes:
    return json.dumps({"id": "a", "at": NOON, **fields}).encode()


def parse(*records: bytes | None, click: pa.Schema = CLICK) -> list[dict[str, Any]]:
    return list(Parser(click).parse(pa.array(records, pa.binary())).clicks.to_pylist())


def reasons(*records: bytes | None) -> list[str | None]:
    rejections = PARSER.parse(pa.array(records, pa.binary())).rejections
    return [rejections[row].reason if row in rejections else None for row in range(len(records))]


def test_good_clicks_keep_their_values() -> None:
    full = record(price=1, amount=1.50, tags=["x", None], geo={"lat": 2.5}, counts={"a": 1, "b": None})
    assert parse(full, record()) == [
        {
            "id": "a",
            "at": NOON_TIME,
            "price": 1.0,
            "amount": Decimal("1.50"),
            "tags": ["x", None],
            "geo": {"lat": 2.5, "at": None},
            "counts": [("a", 1), ("b", None)],
        },
        NOTHING | {"id": "a", "at": NOON_TIME},
    ]


def test_fields_have_the_types_of_the_schema_and_may_be_null() -> None:
    clicks = PARSER.parse(pa.array([record(), b""])).clicks
    assert clicks.type == pa.struct([field.with_nullable(True) for field in CLICK])
    clicks.validate(full=True)


def test_every_record_comes_out_once_and_in_order() -> None:
    records = [record(id="1"), b"rubbish", None, record(id="2"), b"[]"]
    assert [click["id"] for click in parse(*records)] == ["1", None, None, "2", None]
    assert reasons(*records) == [None, "malformed_json", "tombstone", None, "not_an_object"]


def test_no_records_are_no_clicks() -> None:
    for records in (pa.array([], pa.binary()), pa.array([record()]).slice(1), pa.array([record()]).slice(0, 0)):
        clicks, rejections = PARSER.parse(records)
        assert (len(clicks), rejections) == (0, {})


def test_records_may_be_part_of_a_longer_array_and_have_large_offsets() -> None:
    spoilt = b'{"id":"a","at":"' + NOON.encode() + b'","x":1,"x":2}'
    whole = pa.array([record(id="0"), spoilt, None, record(id="1"), spoilt, record(id="2")], pa.binary())
    for records in (whole.slice(2, 3), whole.cast(pa.large_binary()).slice(2, 3)):
        clicks, rejections = PARSER.parse(records)
        assert [click["id"] for click in clicks.to_pylist()] == [None, "1", None]
        assert {row: rejection.reason for row, rejection in rejections.items()} == {0: "tombstone", 2: "duplicate_key"}


def test_invalid_utf8_is_rejected_even_in_a_field_that_nobody_reads() -> None:
    assert reasons(b'{"id":"a","at":"' + NOON.encode() + b'","unknown":"\xff"}') == ["invalid_encoding"]


def test_record_of_5_mb_is_too_large() -> None:
    assert reasons(record(id="x" * 5_000_000), record()) == ["too_large", None]


def test_record_that_is_too_large_and_no_text_says_how_to_read_its_bytes() -> None:
    assert reasons(record(id="x" * MAX_RECORD_BYTES) + b"\xff", record()) == ["invalid_encoding", None]


def test_duplicate_keys_are_rejected_but_unknown_nested_and_quoted_ones_are_not() -> None:
    twice = b'{"id":"a","at":"' + NOON.encode() + b'","id":"b"}'
    spaced = b'{ "id" : "a", "at" : "' + NOON.encode() + b'", "id" : "b" }'
    # The space hides one key, so that the others are as many as the fields that are there.
    partly = b'{"id" :"a","at":"' + NOON.encode() + b'","id":"b"}'
    records = [twice, spaced, partly, record(unknown={"id": 1}), record(id='":":" :')]
    assert reasons(*records) == ["duplicate_key"] * 3 + [None, None]
    assert parse(*records)[:3] == [NOTHING] * 3


@pytest.mark.parametrize(("nested", "path"), [
    ('"geo":{"city":"Bern","city":"Basel"}', "geo.city"),
    ('"geo":{"city":"Bern","c\\u0069ty":"Bern"}', "geo.city"),
    ('"geo":{"city" :"Bern", "city"\t: null}', "geo.city"),
    ('"geo":{"other":1,"other":2}', "geo.other"),
    ('"geo":{"at":{"b":1,"b":1}}', "geo.at.b"),
    ('"props":{"a":"1","a":"2"}', "props.a"),
    ('"props":{"":"1","":"2"}', "props."),
    ('"list":[{"a":1},{"a":1,"a":null}]', "list[1].a"),
    ('"deep":{"k":{"x":[{"y":1,"y":2}]}}', "deep.k.x[0].y"),
    ('"geo":{"city":"Bern"},"geo":{"city":"Bern"}', "geo"),
    ('"unknown":1,"unknown":1', "unknown"),
])  # fmt: skip
def test_key_that_is_there_twice_is_found_at_any_depth(nested: str, path: str) -> None:
    click = parse_ddl(
        "id STRING, geo STRUCT<city: STRING, at: STRUCT<b: INT>>, props MAP<STRING, STRING>, "
        "list ARRAY<STRUCT<a: INT>>, deep MAP<STRING, STRUCT<x: ARRAY<STRUCT<y: INT>>>>",
        "here",
    )
    clean = b'{"id":"b","geo":{"city":null,"at":{}},"props":{"city":"x:\\":","a":null},"list":[{"a":1},null,{"a":2}]}'
    records = [clean, f'{{"id":"a",{nested}}}'.encode(), clean, b"rubbish"]
    clicks, rejections = Parser(click).parse(pa.array(records))
    assert rejections.pop(3).reason == "malformed_json"
    assert rejections == {1: ("duplicate_key", f"expected each key once, found {path} twice")}
    assert [each["id"] for each in clicks.to_pylist()] == ["b", None, "b", None]


def test_keys_that_differ_in_case_or_are_empty_are_other_keys() -> None:
    assert reasons(record(ID="b", Geo={"LAT": 1}, counts={"a": 1, "A": 2, "": 3}), record(**{"": 1})) == [None, None]


def test_odd_records_with_unknown_fields_are_clicks_or_rejected_but_never_raise() -> None:
    noon = b'{"id":"a","at":"' + NOON.encode() + b'","x":'
    long_number, deep = b"9" * 5_000, b'{"y":' + b"[" * 990 + b"]" * 990 + b"}"
    found = reasons(
        BOM + noon + b"1}",
        noon + b'{"y":' + long_number + b"}}",
        noon + deep + b"}",
        BOM + BOM + noon + b"1}",
    )
    assert found[:2] == [None, None]
    assert found[2] in (None, "malformed_json")
    assert found[3] == "malformed_json"


def test_value_that_does_not_fit_its_column_is_rejected_and_no_other_field_is_kept() -> None:
    records = [record(price=2, amount=1234567.5), record(amount=1.5)]
    assert reasons(*records) == ["wrong_type", None]
    assert parse(*records) == [NOTHING, NOTHING | {"id": "a", "at": NOON_TIME, "amount": Decimal("1.50")}]
    assert "amount" in PARSER.parse(pa.array(records)).rejections[0].detail


@pytest.mark.parametrize("number", ["1e-999999999", "1e999999999", "1e-" + "9" * 30, "0e-999999999", "9" * 10_000])
def test_number_of_any_size_ends_no_process(number: str) -> None:
    prices = [
        b'{"id":"a","at":"%s","%s":%s}' % (NOON.encode(), name, number.encode()) for name in (b"amount", b"price")
    ]
    assert set(reasons(*prices)) <= {None, "wrong_type"}
    assert reasons(b'{"id":"a","at":"%s","unknown":%s}' % (NOON.encode(), number.encode())) == [None]


def test_text_may_have_any_character_of_unicode() -> None:
    text = "\0 \u200b \U0001f600 \ufeff \uffff"
    assert [click["id"] for click in parse(record(id=text, tags=[text], counts={text: 1}))] == [text]


def test_text_that_utf_8_has_no_bytes_for_is_rejected() -> None:
    assert reasons(b'{"id":"\\ud800","at":"' + NOON.encode() + b'"}', record()) == ["malformed_json", None]


@pytest.mark.parametrize("time", [NOON, "2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00", "2026-03-01 12:00:00Z",
                                  1772366400, 1772366400000, 1772366400000000])  # fmt: skip
def test_times_may_have_a_zone_none_or_be_epoch_numbers(time: Any) -> None:
    assert [click["at"] for click in parse(record(at=time), record())] == [NOON_TIME, NOON_TIME]


def test_times_of_the_years_1_to_9999_are_read() -> None:
    assert reasons(record(at="0001-01-01T00:00:00Z"), record(at="9999-12-31T23:59:59.999999Z")) == [None, None]


def test_time_that_is_in_year_0_or_10000_of_utc_is_none_wherever_it_stands() -> None:
    early, late = "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"
    nested = "geo STRUCT<at: TIMESTAMP>, all ARRAY<TIMESTAMP>, by MAP<STRING, STRUCT<at: TIMESTAMP>>"
    click = parse_ddl(f"at TIMESTAMP, {nested}", "here")
    bad = [{"at": early}, {"at": late}, {"geo": {"at": late}}, {"all": [NOON, early]}, {"by": {"a": {"at": late}}}]
    records = pa.array([json.dumps(each).encode() for each in [*bad, {"at": NOON, "geo": {}}]])
    rejections = Parser(click).parse(records).rejections
    assert {row: rejection.reason for row, rejection in rejections.items()} == dict.fromkeys(range(5), "invalid_time")
    expected = ": expected a time in the years 1 to 9999 of UTC"
    paths = ["at", "at", "geo.at", "all[...]", "by[...].at"]
    assert [rejections[row].detail for row in range(5)] == [path + expected for path in paths]


def test_required_field_of_an_optional_struct_must_be_there_when_the_struct_is() -> None:
    click = parse_ddl("geo STRUCT<lat: DOUBLE NOT NULL, lon: DOUBLE>", "here")
    records = [b'{"geo":{"lat":1}}', b'{"geo":null}', b"{}", b'{"geo":{"lon":1}}', b'{"geo":{"lat":null}}']
    clicks, rejections = Parser(click).parse(pa.array(records))
    assert clicks.to_pylist() == [{"geo": {"lat": 1.0, "lon": None}}, *[{"geo": None}] * 4]
    assert {row: tuple(rejection) for row, rejection in rejections.items()} == {
        3: ("missing_field", "geo.lat is missing"),
        4: ("missing_field", "geo.lat is null"),
    }


def test_field_names_need_not_be_python_names() -> None:
    click = parse_ddl("`page-url` STRING, class BIGINT, `Straße 名` INT", "here")
    assert parse('{"page-url":"/x","class":3,"Straße 名":4}'.encode(), click=click) == [
        {"page-url": "/x", "class": 3, "Straße 名": 4}
    ]


def test_times_are_read_as_they_come_at_any_depth_and_never_change_their_neighbours() -> None:
    click = parse_ddl("at TIMESTAMP, day DATE, seen ARRAY<TIMESTAMP>, by MAP<STRING, STRUCT<at: TIMESTAMP>>", "here")
    odd = ["2026-03-01 12:00:00 UTC", "2026-03-01T12:00:00.0000009Z", "1772366400", 1772366400.0, 1772366400000000000]
    records = [json.dumps({"at": time, "seen": [time], "by": {"a": {"at": time}}}).encode() for time in [NOON, *odd]]
    for batch in (records, records[::-1], *([each] for each in records)):
        for found in parse(*batch, click=click):
            assert found == {"at": NOON_TIME, "day": None, "seen": [NOON_TIME], "by": [("a", {"at": NOON_TIME})]}


def test_fraction_of_a_time_is_cut_and_not_rounded() -> None:
    [found] = parse(record(at="2026-03-01T11:59:59.9999999Z"))
    assert found["at"] == NOON_TIME - timedelta(microseconds=1)


def test_field_is_read_as_its_schema_says_even_if_another_schema_differs_in_nothing_else() -> None:
    plain = parse_ddl("price DOUBLE", "here")
    lenient = pa.schema([with_reading(plain.field("price"), Reading(is_lenient=True))])
    records = pa.array([b'{"price":"8.25"}'])
    assert plain == lenient
    for click, price in ((plain, None), (lenient, 8.25), (pickle.loads(pickle.dumps(lenient)), 8.25)):
        assert parser(click).parse(records).clicks.to_pylist() == [{"price": price}]
