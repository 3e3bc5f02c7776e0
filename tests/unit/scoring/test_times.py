import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from clickscore.scoring.times import (
    FIRST_TIME_US,
    LAST_TIME_US,
    NO_TIME,
    date_reader,
    rows_with_fine_fractions,
    since_epoch,
    time_reader,
)

UTC = dt.timezone.utc
NOON = dt.datetime(2026, 3, 1, 12, tzinfo=UTC)
read = time_reader(None, None)


@pytest.mark.parametrize("text", [
    "2026-03-01T12:00:00Z", "2026-03-01T12:00:00", "2026-03-01 12:00:00", "2026-03-01t12:00:00z",
    "2026-03-01 12:00:00 UTC", "2026-03-01 12:00:00 GMT", "2026-03-01T12:00:00UTC", "2026-03-01 12:00:00 Z",
    "2026-03-01T14:00:00+02", "2026-03-01T14:00:00+0200", "2026-03-01T14:00:00+02:00", "2026-03-01 12:00:00+00",
    "2026-03-01T17:30:00+05:30", "2026-03-01T17:30:00+0530", "2026-03-01T17:00:00+05", "2026-03-01 07:00:00 -0500",
    "2026-03-01T12:00:00-00:00", "2026-03-01T12:00Z", "2026-03-01T12Z", "20260301T120000Z", "20260301T1200Z",
    "20260301 120000", "2026-060T12:00Z", "2026060T120000Z", "2026-W09-7T12:00:00Z", "2026W097T12Z",
    "2026-03-01T12:00:00.000Z", "2026-03-01T12:00:00,0Z",
])  # fmt: skip
def test_iso_8601_is_read_in_all_its_forms(text: str) -> None:
    assert read(text) == NOON


@pytest.mark.parametrize(("fraction", "microsecond"), [
    ("1", 100_000), ("123", 123_000), ("123456", 123_456), ("1234567", 123_456), ("123456789", 123_456),
    ("999999999", 999_999),
])  # fmt: skip
@pytest.mark.parametrize("mark", ".,")
def test_fraction_is_cut_to_microseconds(mark: str, fraction: str, microsecond: int) -> None:
    assert read(f"2026-03-01T12:00:00{mark}{fraction}Z") == NOON.replace(microsecond=microsecond)


@pytest.mark.parametrize("number", [
    1772366400, 1772366400_000, 1772366400_000_000, 1772366400_000_000_000, Decimal("1772366400.0"),
    Decimal("1.7723664e9"), Decimal("1772366400000.000"), "1772366400", "1772366400000", "1772366400000000",
    "1772366400000000000", "1772366400.0", "1772366400000.00",
])  # fmt: skip
def test_epoch_number_is_read_in_each_unit_as_number_and_as_text(number: Any) -> None:
    assert read(number) == NOON


def test_epoch_number_with_a_fraction_keeps_microseconds() -> None:
    assert read(Decimal("1772366400.1234567")) == NOON.replace(microsecond=123_456)
    assert read("1772366400123.9999") == NOON.replace(microsecond=123_999)
    assert read(1772366400_123456789) == NOON.replace(microsecond=123_456)
    assert read(0) == dt.datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", [
    "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 1 Mar 2026 12:00:00 +0000", "1 Mar 2026 13:00 +0100",
    "Sun, 01 Mar 2026 07:00:00 EST", "Sun, 01 Mar 2026 12:00:00 UT", "Sun, 01 Mar 2026 12:00:00 -0000",
])  # fmt: skip
def test_date_of_mail_is_read(text: str) -> None:
    assert read(text) == NOON


@pytest.mark.parametrize(("value", "why"), [
    ("2026-03-01", "or name the format"),
    ("01/03/2026 12:00", "or name the format"),
    ("2026-03-01T12:00:00 Europe/Zurich", "or name the format"),
    ("2026-03-01 12:00:00 CET", "or name the format"),
    ("٢٠٢٦-03-01T12:00:00Z", "or name the format"),
    (" 2026-03-01T12:00:00Z", "or name the format"),
    ("2026-03-01T12:00:00Z\n", "or name the format"),
    ("1_772_366_400", "or name the format"),
    ("now", "or name the format"),
    ("", "or name the format"),
    ("20260301", "10, 13, 16 or 19"),
    ("202603011200", "10, 13, 16 or 19"),
    ("20260301120000", "10, 13, 16 or 19"),
    ("0", "10, 13, 16 or 19"),
    (20260301, "a date or seconds"),
    (-1, "0 or more"),
    (Decimal("-0.5"), "0 or more"),
    (10**20, "0 or more"),
    (Decimal("1e999999999"), "0 or more"),
    ("2026-02-30T12:00:00Z", "day is out of range"),
    ("2026-366T12:00:00Z", "no day 366"),
    ("2026-000T12:00:00Z", "no day 000"),
    ("2026-W54-1T12:00:00Z", "week"),
    ("0000-01-01T00:00:00Z", "year 0 is out of range"),
    ("2026-03-01T24:00:00Z", "hour must be in 0..23"),
    ("2026-12-31T23:59:60Z", "second must be in 0..59"),
    ("2026-03-01T12:00:00+24:00", "offset must be"),
    ("2026-03-01T12:00:00+05:60", "more than 59 minutes"),
    ("Mon, 01 Mar 2026 12:00:00 GMT", "that day is a Sun"),
    ("Sun, 30 Feb 2026 12:00:00 GMT", "day is out of range"),
])  # fmt: skip
def test_what_is_no_time_or_could_be_two_is_refused_with_the_reason(value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{NO_TIME}.*{re.escape(why)}"):
        read(value)


@pytest.mark.parametrize(("value", "name"), [(True, "bool"), ([], "array"), ({}, "object"), (None, "null")])
def test_value_of_another_type_is_refused_with_its_type(value: Any, name: str) -> None:
    with pytest.raises(TypeError, match=f"got `{name}`"):
        read(value)


def test_message_quotes_a_text_without_the_marks_of_paths() -> None:
    with pytest.raises(ValueError, match="found \"x - at '"):
        read("x - at `$.id`")
    with pytest.raises(ValueError, match="…': use"):
        read("x" * 1000)


def test_zone_places_times_that_name_none_and_no_others() -> None:
    zurich = time_reader(None, "Europe/Zurich")
    assert zurich("2026-03-01 13:00:00") == NOON
    assert zurich("2026-07-01 14:00:00") == NOON.replace(month=7)
    assert zurich("2026-03-01T12:00:00Z") == zurich(1772366400) == NOON
    assert zurich("2026-03-01T07:00:00-05:00") == NOON


def test_time_that_clocks_skip_or_show_twice_is_refused() -> None:
    zurich = time_reader("%d.%m.%Y %H:%M:%S", "Europe/Zurich")
    with pytest.raises(ValueError, match="2026-03-29 02:30:00': the clocks of Europe/Zurich skip it"):
        zurich("29.03.2026 02:30:00")
    with pytest.raises(ValueError, match="2026-10-25 02:30:00': the clocks of Europe/Zurich show it twice"):
        zurich("25.10.2026 02:30:00")
    assert zurich("29.03.2026 01:59:59") == dt.datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)
    assert zurich("29.03.2026 03:00:00") == dt.datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert zurich("25.10.2026 01:59:59") == dt.datetime(2026, 10, 24, 23, 59, 59, tzinfo=UTC)
    assert zurich("25.10.2026 03:00:00") == dt.datetime(2026, 10, 25, 2, tzinfo=UTC)


@pytest.mark.parametrize(("format", "value", "expected"), [
    ("%d/%m/%Y %H:%M", "01/03/2026 12:00", NOON),
    ("%m/%d/%Y %I:%M %p", "03/01/2026 12:00 PM", NOON),
    ("%Y%m%d", "20260301", NOON.replace(hour=0)),
    ("%Y%m%d", 20260301, NOON.replace(hour=0)),
    ("%Y%m%d%H%M%S", "20260301120000", NOON),
    ("%d.%m.%Y %H:%M:%S.%f", "01.03.2026 12:00:00.123456789", NOON.replace(microsecond=123_456)),
    ("%d/%b/%Y:%H:%M:%S %z", "01/Mar/2026:13:00:00 +0100", NOON),
    ("%Y年%m月%d日 %H:%M", "2026年03月01日 12:00", NOON),
])  # fmt: skip
def test_format_reads_its_own_times(format: str, value: Any, expected: dt.datetime) -> None:
    assert time_reader(format, None)(value) == expected


@pytest.mark.parametrize("value", ["2026-03-01T12:00:00Z", "31/02/2026 12:00", "٠١/03/2026 12:00", 1772366400, ""])
def test_format_takes_no_other_times(value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{NO_TIME}"):
        time_reader("%d/%m/%Y %H:%M", None)(value)
    with pytest.raises(TypeError, match="got `float`"):
        time_reader("%Y%m%d", None)(Decimal("1.5"))


def test_day_is_read_with_and_without_hyphens_or_by_its_format() -> None:
    assert date_reader(None)("2026-03-01") == date_reader(None)("20260301") == NOON.date()
    assert date_reader("%d.%m.%Y")("01.03.2026") == date_reader("%Y%m%d")(20260301) == NOON.date()
    for text in ("2026-0301", "2026-02-30", "2026-03-01T12:00:00Z", "01.03.2026"):
        with pytest.raises(ValueError, match=f"^{NO_TIME}"):
            date_reader(None)(text)
    with pytest.raises(TypeError, match="got `int`"):
        date_reader(None)(20260301)


def test_epoch_numbers_are_seconds_milliseconds_or_microseconds_by_their_size() -> None:
    seconds = int(NOON.timestamp())
    spellings = [seconds, seconds * 1000, seconds * 1_000_000, NOON, NOON.replace(tzinfo=None)]
    assert {since_epoch(time) for time in spellings} == {dt.timedelta(seconds=seconds)}
    assert since_epoch(None) is None


def test_bounds_of_times_are_those_of_python() -> None:
    epoch = dt.datetime(1970, 1, 1, tzinfo=UTC)
    assert epoch + dt.timedelta(microseconds=FIRST_TIME_US) == dt.datetime.min.replace(tzinfo=UTC)
    assert epoch + dt.timedelta(microseconds=LAST_TIME_US) == dt.datetime.max.replace(tzinfo=UTC)


def test_fractions_that_the_decoder_rounds_are_found_in_any_array() -> None:
    texts = [b"12:00:00.123456Z", b"12:00:00.1234567Z", b"", None, b"1.23456789", b":0.1:00:00.123456789", b"12:00:00."]
    whole = pa.array([b"12:00:00.1234567", *texts, b"12:00:00.1234567"], pa.binary())
    for records in (whole.slice(1, len(texts)), whole.cast(pa.large_binary()).slice(1, len(texts))):
        assert rows_with_fine_fractions(records) == [1, 5]
    assert rows_with_fine_fractions(pa.array([], pa.binary())) == []
    assert rows_with_fine_fractions(pa.array([None, b"."], pa.binary())) == []
