"""Times as they come: what the typed decoder refuses, read by the rules of each spelling, strictly.

ISO 8601 with a day and at least an hour, as the extended or the basic form, with weeks or days of the year; the number
of seconds, milliseconds, microseconds or nanoseconds since 1970; dates of mail (RFC 2822); or a format of one's own.
What could be two times is none. Fractions are cut to microseconds, never rounded into the next second.
"""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

UTC = dt.timezone.utc
EPOCH = dt.datetime(1970, 1, 1, tzinfo=UTC)
FIRST_TIME_US, LAST_TIME_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999 in UTC, in microseconds since 1970: beyond them Python and many readers know no time."""
NO_TIME = "Expected a time"
"""How each message begins about a value that has the type of a time, but is none."""
BEYOND_YEARS = "expected a time in the years 1 to 9999 of UTC, found one beyond them"

# The unit of an epoch number follows from its size: no time between the years 1973 and 5138 is ambiguous.
SECONDS_BELOW, MILLISECONDS_BELOW, _MICROSECONDS_BELOW, _NANOSECONDS_BELOW = 10**11, 10**14, 10**17, 10**20
FIRST_PLAIN_EPOCH, LAST_PLAIN_EPOCH = 10**9, _MICROSECONDS_BELOW - 1
"""Whole numbers that the decoder takes for times without asking here: from September 2001, in seconds, and up to
microseconds. A smaller one may be a date."""
_EPOCH_DIGITS = {10, 13, 16, 19}
"""Digits of an epoch number in a text, from 2001 to 2286, one length per unit. With 8, 12 or 14, it may be a date."""
_FRACTION_AFTER = 7
"""Digits of a fraction that the decoder would round away."""

_FINE = re.compile(rb":\d\d\.\d{7}")
_FEW_BYTES = 4096
"""Size up to which one search costs less than the calls of NumPy: a request brings one click."""
BLOCK = 1 << 17
"""Bytes that NumPy looks at together: what it makes of so many stays in the processor's cache, at half the cost."""

_DAY = r"(\d{4})-?(?:(\d\d)-?(\d\d)|W(\d\d)-?([1-7])|(\d{3}))"
_TIME = r"(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?"
_ZONE = r" ?(?:(Z|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?)"
_ISO = re.compile(f"{_DAY}[T ]{_TIME}(?:{_ZONE})?", re.ASCII | re.IGNORECASE)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)|(\d{4})(\d\d)(\d\d)", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_CALENDAR = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", re.ASCII)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MAIL = re.compile(
    r"(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?\d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d(?::\d\d)? (?:[+-]\d\d[0-5]\d|UTC?|GMT|[ECMP][SD]T)",
    re.ASCII,
)
_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
_BEYOND_MICROSECONDS = re.compile(r"([.,]\d{6})\d{1,3}(?!\d)", re.ASCII)
_SHOWN_CHARS = 60

Read = Callable[[Any], Any]
"""Turns a value of JSON into one of a column; raises TypeError for another type, ValueError for what is none."""


def time_reader(format: str | None, zone: str | None) -> Read:
    """Return what reads the times of a field: ``datetime`` with a fixed offset from a text or a number.

    Args:
        format: how they are written, in ``strptime``; None for all spellings that are unambiguous.
        zone: the time zone of those that name none; None for UTC.
    """
    place = ZoneInfo(zone) if zone else UTC

    def read(value: Any) -> dt.datetime:
        if format:
            time = _by_format(_text_of(value, "time"), format)
        elif isinstance(value, str):
            time = _of_text(value)
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            time = _of_number(value)
        else:
            raise TypeError(f"Expected `time`, got `{json_type(value)}`")
        return time if time.tzinfo else _placed(time, place)

    return read


def date_reader(format: str | None) -> Read:
    """Return what reads the days of a field: ``date`` from ``2026-03-01`` or ``20260301``, or by its format."""

    def read(value: Any) -> dt.date:
        if format:
            return _by_format(_text_of(value, "date"), format).date()
        if not isinstance(value, str):
            raise TypeError(f"Expected `date`, got `{json_type(value)}`")
        match = _DATE.fullmatch(value)
        if not match:
            raise _no_time(value, "a day is YYYY-MM-DD or YYYYMMDD")
        try:
            return dt.date(*(int(part) for part in match.groups() if part))
        except ValueError as error:
            raise _no_time(value, str(error)) from None

    return read


def since_epoch(time: dt.datetime | int | None) -> dt.timedelta | None:
    """Return how long after the start of 1970 in UTC a time is, whichever way the decoder has taken it."""
    if time is None:
        return None
    if isinstance(time, int):
        per_second = 1 if time < SECONDS_BELOW else 1_000 if time < MILLISECONDS_BELOW else 1_000_000
        return dt.timedelta(microseconds=time * (1_000_000 // per_second))
    return (time if time.tzinfo else time.replace(tzinfo=UTC)) - EPOCH


def rows_with_fine_fractions(records: pa.BinaryArray) -> list[int]:
    """Return the records that seem to have a time with seven or more digits of a fraction, by their number.

    The decoder rounds such a fraction to microseconds, and tells nobody.
    """
    _, offsets, data = records.buffers()
    size = np.int64 if pa.types.is_large_binary(records.type) else np.int32
    bounds = np.frombuffer(offsets, size)[records.offset : records.offset + len(records) + 1]
    characters = np.frombuffer(data or b"", np.uint8)[bounds[0] : bounds[-1]]
    if len(characters) <= _FEW_BYTES and not _FINE.search(characters.tobytes()):
        return []
    before, after = len(":00"), _FRACTION_AFTER
    found = []
    for begin in range(0, len(characters), BLOCK):
        block = characters[begin : begin + BLOCK + before + after]
        # Seconds stand before the point of a time, `12:00:00.1234567`. What is below the digit 0 wraps to above nine.
        is_fine = block[before:-after] == ord(".")
        is_fine &= block[: -before - after] == ord(":")
        is_fine &= block[before + after :] - np.uint8(ord("0")) < 10
        if is_fine.any():
            found.append(np.flatnonzero(is_fine) + (begin + before))
    if not found:
        return []
    return [int(row) for row in np.unique(np.searchsorted(bounds - bounds[0], np.concatenate(found), "right") - 1)]


def json_type(value: object) -> str:
    """Return the name that the decoder gives to the type of a value."""
    names = {str: "str", bool: "bool", int: "int", list: "array", dict: "object", type(None): "null",
             bytes: "bytes", dt.datetime: "datetime", dt.date: "date"}  # fmt: skip
    return names.get(type(value), "float")


def shown(text: str) -> str:
    """Return a text of a record as a message may quote it: short, and without the marks of the decoder's messages."""
    short = text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"
    return repr(short.replace("`", "'"))


def _no_time(value: object, why: str) -> ValueError:
    return ValueError(f"{NO_TIME}, found {shown(value) if isinstance(value, str) else value}: {why}")


def _text_of(value: Any, kind: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # 20260301 may well come as a number
    if not isinstance(value, str):
        raise TypeError(f"Expected `{kind}`, got `{json_type(value)}`")
    return value


def _of_text(text: str) -> dt.datetime:
    match = _ISO.fullmatch(text)
    try:
        if match:
            return _of_iso(match)
        if found := _MAIL.fullmatch(text):
            return _of_mail(text, found[1])
    except (ValueError, OverflowError) as error:
        raise _no_time(text, str(error)) from None
    if not _NUMBER.fullmatch(text):
        raise _no_time(text, "use ISO 8601, an epoch number or RFC 2822, or name the format of the field in click.from")
    if len(text.partition(".")[0]) not in _EPOCH_DIGITS:
        raise _no_time(text, "a text of digits is a time with 10, 13, 16 or 19 of them; else name the field's format")
    return _of_number(Decimal(text))


def _of_iso(match: re.Match[str]) -> dt.datetime:
    year, month, day, week, weekday, day_of_year, hour, minute, second, fraction = match.groups()[:10]
    if week:
        date = dt.date.fromisocalendar(int(year), int(week), int(weekday))
    elif day_of_year:
        date = dt.date(int(year), 1, 1) + dt.timedelta(int(day_of_year) - 1)
        if date.year != int(year):
            raise ValueError(f"the year has no day {day_of_year}")
    else:
        date = dt.date(int(year), int(month), int(day))
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    time = dt.time(int(hour), int(minute or 0), int(second or 0), microsecond)
    return dt.datetime.combine(date, time, _offset(*match.groups()[10:]))


def _offset(name: str | None, sign: str | None, hours: str | None, minutes: str | None) -> dt.timezone | None:
    if not hours:
        return UTC if name else None
    if int(minutes or 0) > 59:
        raise ValueError("the offset has more than 59 minutes")
    ahead = dt.timedelta(hours=int(hours), minutes=int(minutes or 0))
    return dt.timezone(-ahead if sign == "-" else ahead)


def _of_mail(text: str, weekday: str | None) -> dt.datetime:
    time = parsedate_to_datetime(text)
    if weekday and weekday != _WEEKDAYS[time.weekday()]:
        raise ValueError(f"that day is a {_WEEKDAYS[time.weekday()]}")
    return time if time.tzinfo else time.replace(tzinfo=UTC)  # -0000 is UTC of an unknown place


def _of_number(number: int | Decimal) -> dt.datetime:
    if isinstance(number, int) and _CALENDAR.fullmatch(str(number)):
        raise _no_time(number, "it may be a date or seconds since 1970; name the format of the field in click.from")
    if not 0 <= number < _NANOSECONDS_BELOW:
        raise _no_time(number, "an epoch number is 0 or more, in seconds to nanoseconds")
    if number < SECONDS_BELOW:
        microseconds = int(number * 1_000_000)
    elif number < MILLISECONDS_BELOW:
        microseconds = int(number * 1_000)
    else:
        microseconds = int(number) if number < _MICROSECONDS_BELOW else int(number) // 1_000
    return EPOCH + dt.timedelta(microseconds=microseconds)


def _by_format(text: str, format: str) -> dt.datetime:
    if _FOREIGN_DIGIT.search(text):
        raise _no_time(text, "its digits are not 0 to 9")
    try:
        return dt.datetime.strptime(_BEYOND_MICROSECONDS.sub(r"\1", text) if "%f" in format else text, format)
    except (ValueError, OverflowError):
        raise _no_time(text, f"the format of the field is {format}") from None


def _placed(time: dt.datetime, zone: dt.tzinfo) -> dt.datetime:
    """Return a time without a zone as one of a place, unless its clocks show it twice or never."""
    first, second = (time.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    if first is None or second is None or first == second:
        return time.replace(tzinfo=dt.timezone(first or dt.timedelta()))
    if first < second:
        raise _no_time(time.isoformat(" "), f"the clocks of {zone} skip it")
    raise _no_time(time.isoformat(" "), f"the clocks of {zone} show it twice; write the offset")
