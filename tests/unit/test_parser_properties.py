"""Whatever bytes come in, each record has one outcome, and the right one.

A run in CI is the same every time. To look further: `pytest tests/unit/test_parser_properties.py
--hypothesis-profile=explore`.
"""

import json
import math
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import cycle
from typing import Any

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from clickscore.scoring.contract import parse_ddl
from clickscore.scoring.decoding import Rejection, encoding_fault
from clickscore.scoring.parsing import Parser
from clickscore.scoring.times import LAST_PLAIN_EPOCH

CLICK = parse_ddl(
    "id STRING NOT NULL, at TIMESTAMP NOT NULL, visitor STRING NOT NULL, price DOUBLE, quantity INT, "
    "tags ARRAY<STRING>, geo STRUCT<lat: DOUBLE NOT NULL>, amount DECIMAL(5,2), seen ARRAY<TIMESTAMP>",
    "here",
)
PARSER = Parser(CLICK)
REQUIRED = [field.name for field in CLICK if not field.nullable]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
BOM = b"\xef\xbb\xbf"
Pairs = list[tuple[str, Any]]


# Records: good clicks, clicks that something has happened to, and bytes that never were a click.

ODD_TIMES = ["2026-03-01T12:00:00", "2026-03-29T02:30:00+01:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
             "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-10:00", "2026-02-30T12:00:00Z", "2026-03-01", "noon",
             "", 0, -1, 1772366400, 1772366400123, 1772366400123456, LAST_PLAIN_EPOCH, LAST_PLAIN_EPOCH + 1, 20260301,
             1.5]  # fmt: skip
ODD_AMOUNTS = ["1.50", 2, 3.25, "NaN", "1e999", 1e300, "1000.00", 0.001]
ODD_NUMBERS = [0, -1, 2**31 - 1, 2**31, 2**63, 10**400, 1.9, -0.0, 5e-324, 1.7976931348623157e308, math.nan, math.inf]
TOKENS = [BOM, b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b'":', b'" :', b' : "', b"1e999",
          b"NaN", b"null", b"{", b"}", b"[" * 5_000, b"\\", b"\r", b"\x0b", "\u2028\u202e😀".encode()]  # fmt: skip
spaces = st.lists(st.sampled_from(["", "", " ", "\t", "\r\n"]), min_size=1, max_size=3)

texts = st.text(max_size=8)
times = st.sampled_from(ODD_TIMES) | st.datetimes().map(datetime.isoformat) | st.integers(0, LAST_PLAIN_EPOCH)
numbers = st.sampled_from(ODD_NUMBERS) | st.integers() | st.floats()
scalars = st.none() | st.booleans() | numbers | texts | times
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))
optional = {
    "price": st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.integers(-(10**20), 10**20),
    "quantity": st.integers(-(2**31), 2**31 - 1) | st.none(),
    "tags": st.lists(texts | st.none(), max_size=3),
    "geo": st.fixed_dictionaries({"lat": st.floats(-90, 90)}),
    "seen": st.lists(st.datetimes().map(datetime.isoformat), max_size=2),
    "new": anything,
}
good_times = st.datetimes().map(lambda time: time.isoformat() + "Z") | st.integers(0, LAST_PLAIN_EPOCH)
clicks = st.fixed_dictionaries({"id": texts, "at": good_times, "visitor": texts}, optional=optional)


def write(pairs: Pairs, spaces: list[str], ensure_ascii: bool) -> bytes:
    members = (
        f"{json.dumps(name)}{space}:{json.dumps(value, ensure_ascii=ensure_ascii)}{space}"
        for (name, value), space in zip(pairs, cycle(spaces), strict=False)
    )
    return ("{" + ",".join(members) + "}").encode("utf-8", "surrogatepass")


@st.composite
def changed_fields(draw: st.DrawFn) -> Pairs:
    pairs = list(draw(clicks).items())
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.integers(0, len(pairs) - 1))
        name, value = pairs[at]
        kind = draw(st.sampled_from(["replace", "replace", "rename", "double", "add", "drop", "nest"]))
        changed = {
            "replace": [(name, draw(times if name == "at" else numbers | anything))],
            "rename": [(draw(st.sampled_from([name.upper(), f"{name} ", name[:-1], f"{name}\0"]) | texts), value)],
            "double": [(name, draw(st.just(value) | anything)), (name, value)],
            "add": [(name, value), ("amount", draw(st.sampled_from(ODD_AMOUNTS)))],
            "drop": [],
            "nest": [(name, draw(st.sampled_from([{name: value}, [value], {"lat": value}])))],
        }[kind]
        pairs[at : at + 1] = changed or ([("x", 1)] if len(pairs) == 1 else [])
    return draw(st.permutations(pairs))


@st.composite
def changed_bytes(draw: st.DrawFn, records: st.SearchStrategy[bytes]) -> bytes:
    record = draw(records)
    at = draw(st.integers(0, len(record)))
    changes: dict[str, Callable[[], bytes]] = {
        "flip": lambda: (
            record[:at] + bytes(b ^ draw(st.integers(1, 255)) for b in record[at : at + 1]) + record[at + 1 :]
        ),
        "insert": lambda: record[:at] + draw(st.sampled_from(TOKENS) | st.binary(max_size=3)) + record[at:],
        "delete": lambda: record[:at] + record[at + draw(st.integers(1, 9)) :],
        "truncate": lambda: record[:at],
        "twice": lambda: record + record,
        "wrap": lambda: b"[" + record + b"]",
        "mark": lambda: BOM * draw(st.sampled_from([1, 2, 2_000])) + record,
    }
    return changes[draw(st.sampled_from(sorted(changes)))]()


good = st.builds(write, clicks.map(lambda click: list(click.items())), spaces, st.booleans())
other_fields = st.builds(write, changed_fields(), spaces, st.booleans())
other_bytes = changed_bytes(good | other_fields)
rubbish = st.none() | st.binary(max_size=40) | st.sampled_from(TOKENS) | anything.map(lambda x: json.dumps(x).encode())
# Rubbish is easy to reject; records that nearly are clicks find more, so that they are drawn more often.
KINDS = [rubbish, other_bytes, other_bytes, changed_bytes(other_bytes), *[other_fields] * 4, *[good] * 3]
records = st.integers(0, len(KINDS) - 1).flatmap(KINDS.__getitem__)
batches = st.lists(records, min_size=1, max_size=6)


# The parser, and another reader that shares no code with it.


def parse(batch: list[bytes | None]) -> list[dict[str, Any] | Rejection]:
    clicks, rejections = PARSER.parse(pa.array(batch, pa.binary()))
    assert len(clicks) == len(batch)
    for row in rejections:
        assert set(clicks[row].as_py().values()) == {None}
    return [rejections.get(row) or click for row, click in enumerate(clicks.to_pylist())]


class NoClickError(Exception):
    """Raised by the other reader for a record that must be rejected."""


class NoJsonError(NoClickError):
    """Raised for one that is not even JSON."""


class UndecidedError(Exception):
    """Raised by the other reader where the README leaves the answer to the parser."""


def check(holds: bool) -> None:
    if not holds:
        raise NoClickError


def refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def read(record: bytes | None) -> dict[str, Any]:
    """Return the fields of a click as the json module of Python sees them."""
    check(record is not None)
    assert record is not None
    try:
        text = record.removeprefix(BOM).decode()
        members = json.loads(text, object_pairs_hook=Members, parse_constant=refuse)
        json.dumps(members, ensure_ascii=False).encode()  # A lone surrogate is no text.
    except RecursionError:
        raise UndecidedError from None
    except ValueError as error:
        if "integer string conversion" in str(error):
            raise UndecidedError from None
        raise NoJsonError from None
    check(isinstance(members, Members))
    fields = dict(members)
    check(len(fields) == len(members))
    return {field.name: read_field(field, fields.get(field.name)) for field in CLICK}


class Members(list[tuple[str, Any]]):
    """The members of a JSON object, in their order."""


def read_field(field: pa.Field, value: Any) -> Any:
    check(value is not None or field.nullable)
    if value is None:
        return None
    if field.name in ("id", "visitor"):
        check(type(value) is str)
        return value
    return {"at": read_time, "price": read_number, "quantity": read_integer, "tags": read_tags, "geo": read_geo,
            "amount": read_amount, "seen": read_seen}[field.name](value)  # fmt: skip


def read_time(value: Any) -> datetime:
    check(type(value) in (int, str, float))
    if type(value) is int and value < 10**9 and re.match(r"(19|20)\d{6}$", str(value)):
        raise UndecidedError
    if type(value) is not str:
        check(0 <= value < 10**20)
        if type(value) is float or value > LAST_PLAIN_EPOCH:
            raise UndecidedError
        unit = "seconds" if value < 10**11 else "milliseconds" if value < 10**14 else "microseconds"
        return EPOCH + timedelta(**{unit: value})
    if re.fullmatch(r"[\d.]*|\d{7,8}[T ].*", value):
        raise UndecidedError
    check(re.match(r"\d{4}-", value) is not None)
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?(Z|[+-][01]\d:[0-5]\d)?", value, re.ASCII):
        raise UndecidedError
    try:
        time = datetime.fromisoformat(value)
        return (time if time.tzinfo else time.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise NoClickError from None


def read_number(value: Any) -> float:
    check(type(value) in (int, float))
    try:
        number = float(value)
    except OverflowError:
        raise NoClickError from None
    check(math.isfinite(number))
    return number


def read_integer(value: Any) -> int:
    check(type(value) is int and -(2**31) <= value < 2**31)
    return int(value)


def read_tags(value: Any) -> list[str | None]:
    check(type(value) is list and all(tag is None or type(tag) is str for tag in value))
    return list(value)


def read_geo(value: Any) -> dict[str, float]:
    check(type(value) is Members)
    check(len(dict(value)) == len(value))
    return {"lat": read_number(dict(value).get("lat"))}


def read_amount(value: Any) -> Any:
    check(type(value) in (int, float))
    raise UndecidedError  # as a float it has lost the digits that decide


def read_seen(value: Any) -> list[datetime | None]:
    check(type(value) is list and all(time is None or type(time) in (int, float, str) for time in value))
    return [None if time is None else read_time(time) for time in value]


# What holds for every record.


@given(batches)
@example([b"", b" ", None, b"\x00"])
def test_each_record_has_exactly_one_outcome_in_its_own_place(batch: list[bytes | None]) -> None:
    for outcome in parse(batch):
        if isinstance(outcome, Rejection):
            assert outcome.reason
            assert outcome.detail
        else:
            assert all(outcome[name] is not None for name in REQUIRED)


@given(batches)
@example([b'{"id" :"a","at":0,"visitor":"v","id":"b"}'])
@example([b'{"id":"a","at":"9999-12-31T23:59:59-01:00","visitor":"v"}'])
@example([BOM + BOM + b'{"id":"a","at":0,"visitor":"v","new":1}'])
@example([b'{"id":"a","at":0,"visitor":"v"}', b'{"id":"\\ud800","at":0,"visitor":"v"}'])
def test_outcome_is_what_another_reader_of_json_says(batch: list[bytes | None]) -> None:
    for record, outcome in zip(batch, parse(batch), strict=True):
        try:
            expected = read(record)
        except UndecidedError:
            continue
        except NoJsonError:
            assert isinstance(outcome, Rejection)
            assert outcome.reason in ("malformed_json", "empty_record", "invalid_encoding")
        except NoClickError:
            assert isinstance(outcome, Rejection)
            assert outcome.reason not in ("malformed_json", "empty_record", "invalid_encoding")
        else:
            assert isinstance(outcome, dict)
            assert {name: outcome[name] for name in expected} == expected


@given(batches)
@example([b"x\xc3", b"\xa9x"])
@example([b'{"id":"a","at":0,"visitor":"v"', b':"x"}'])
@example([b'{"id":"a","at":0,"visitor":"v","amount":"1.5"}', b'{"id":"b","at":0,"visitor":"v","amount":"1e999"}'])
@example(
    [b'{"id":"a","at":0,"visitor":"v","amount":"1e999"}', b'{"id":"b","id":"c","id":"d","id":"e","at":0,"visitor":"v"}']
)
@example([None, b'{"id":"a","id":"b","at":0,"visitor":"v"}', b"{", b'{"id":"a","at":0,"visitor":"!:"}'])
def test_outcome_does_not_depend_on_the_neighbours(batch: list[bytes | None]) -> None:
    assert parse(batch) == [parse([record])[0] for record in batch]


@given(batches)
@example([None, b"", b"x"])
def test_outcome_does_not_depend_on_how_arrow_holds_the_records(batch: list[bytes | None]) -> None:
    part = pa.array([b'{"x":1', *batch, None], pa.binary()).slice(1, len(batch))
    for records in (part, pa.array(batch, pa.large_binary()), part.cast(pa.large_binary())):
        clicks, rejections = PARSER.parse(records)
        assert [rejections.get(row) or click for row, click in enumerate(clicks.to_pylist())] == parse(batch)


@given(batches)
def test_invalid_encoding_is_the_reason_of_whatever_is_no_utf_8_and_of_nothing_else(batch: list[bytes | None]) -> None:
    for record, outcome in zip(batch, parse(batch), strict=True):
        reason = outcome.reason if isinstance(outcome, Rejection) else None
        assert (reason == "invalid_encoding") == (record is not None and encoding_fault(record) is not None)
