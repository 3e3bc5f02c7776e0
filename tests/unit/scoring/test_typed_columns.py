"""Values that were read at once become columns; those that do not fit make their record bad."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from clickscore.scoring.ddl import read_fields
from clickscore.scoring.reading import Reading, with_reading
from clickscore.scoring.record_cursor import Cursor, Texts
from clickscore.scoring.typed_columns import Found, Path, are_plain, click_columns

NOON_US = 1_772_366_400_000_000


def cursor_over(data: bytes, count: int) -> Cursor:
    return Cursor(np.frombuffer(data, np.uint8), np.zeros(count, np.int64), np.full(count, len(data)))


def column(ddl: str, found: Found, data: bytes = b"") -> tuple[list[object], list[bool]]:
    """Return the column of three records, and which of them are bad."""
    read = click_columns(cursor_over(data, 3), read_fields(f"a {ddl}")[0], {("a",): found})
    assert read
    return read[0][0].to_pylist(), list(read[1])


def test_records_without_a_value_are_null_or_bad_where_one_is_required() -> None:
    found = Found(np.array([0, 2]), np.array([5, 6]))
    assert column("INT", found) == ([5, None, 6], [False] * 3)
    assert column("INT NOT NULL", found)[1] == [False, True, False]


def test_number_that_a_column_does_not_take_is_bad() -> None:
    assert column("SMALLINT", Found(np.arange(3), np.array([1, 40_000, -40_000])))[1] == [False, True, True]


def test_time_is_in_microseconds_or_of_the_unit_that_its_size_tells() -> None:
    noon = dt.datetime(2026, 3, 1, 12, tzinfo=dt.timezone.utc)
    as_it_comes = np.array([NOON_US // 10**6, NOON_US // 1_000, NOON_US])
    assert column("TIMESTAMP", Found(np.arange(3), as_it_comes)) == ([noon] * 3, [False] * 3)
    times, is_bad = column("TIMESTAMP", Found(np.arange(3), np.array([NOON_US, 1, 2**62]), is_time=True))
    assert times[:2] == [noon, dt.datetime(1970, 1, 1, 0, 0, 0, 1, dt.timezone.utc)]
    assert is_bad == [False, False, True]


def test_texts_are_cut_out_of_the_bytes() -> None:
    texts = Texts(np.array([0, 2, 2]), np.array([2, 0, 3]))
    assert column("STRING", Found(np.arange(3), texts), "aaüx".encode()) == (["aa", "", "üx"], [False] * 3)


def test_text_that_is_no_utf8_is_found_even_where_nobody_asks_for_it() -> None:
    found = Found(np.arange(3), Texts(np.zeros(3, np.int64), np.ones(3, np.int64)), is_text=True)
    click = read_fields("b STRING")[0]
    assert click_columns(cursor_over(b"a", 3), click, {("a",): found}, [found])
    assert click_columns(cursor_over(b"\xff", 3), click, {("a",): found}) is None
    assert click_columns(cursor_over(b"\xff", 3), click, {}, [found]) is None


@pytest.mark.parametrize(
    ("reading", "is_plain"),
    [
        (Reading(), True),
        (Reading(paths=("page.url",)), True),
        (Reading(paths=("page",)), False),
        (Reading(paths=("a", "page.url")), False),
        (Reading(paths=("page[0]",)), False),
        (Reading(constant="x"), False),
        (Reading(is_lenient=True), False),
    ],
)
def test_field_is_plain_if_it_is_a_single_value_read_in_no_way_of_its_own(reading: Reading, is_plain: bool) -> None:
    fields = pa.schema([with_reading(pa.field("a", pa.string()), reading)])
    leaves = {("a",): pa.string(), ("page", "url"): pa.string()}
    assert are_plain(fields, leaves, lambda leaf, kind: bool(leaf == kind)) == is_plain


def test_field_that_no_record_has_is_plain_unless_it_is_required() -> None:
    leaves: dict[Path, pa.DataType] = {("b",): pa.string()}
    assert are_plain(read_fields("a STRING")[0], leaves, lambda *_: True)
    assert not are_plain(read_fields("a STRING NOT NULL")[0], leaves, lambda *_: True)
    assert not are_plain(read_fields("b INT")[0], leaves, lambda leaf, kind: bool(leaf == kind))
