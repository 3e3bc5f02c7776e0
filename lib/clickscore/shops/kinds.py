"""Values become the type of a field: the strictest one that takes all of them, and how they are read."""

import datetime as dt
import re
from collections.abc import Callable, Collection
from decimal import Decimal
from itertools import islice
from typing import Any, NamedTuple

from clickscore.scoring.times import FIRST_PLAIN_EPOCH, date_reader, time_reader
from clickscore.scoring.values import MAX_FLOAT64

FORMATS = (
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%d/%b/%Y:%H:%M:%S %z",
    "%d/%m/%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%b %d, %Y %H:%M:%S", "%d %b %Y %H:%M:%S",
    "%Y%m%d%H%M%S", "%Y-%m-%d",
)  # fmt: skip
"""Spellings of times that are read only where the configuration names them, those with more in them first."""

_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?", re.ASCII)
"""Without zeros in front: 08005 is a postal code, and a number would lose its first digit."""
_DIGITS = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_LARGEST = 2**63 - 1
_MINUTE = "%M"
_ROUNDING = 1e-9
"""Far below one value: 1 - 0.9 is a little less than a tenth."""


class Kind(NamedTuple):
    """How a field is written in the click schema, and read.

    Attributes:
        ddl: its type in Spark DDL.
        is_lenient: whether it takes numbers as text, or numbers for a text.
        format: how its times are written; None for the usual spellings.
    """

    ddl: str
    is_lenient: bool = False
    format: str | None = None


def kind_of(values: Collection[Any], is_time: bool, is_code: bool) -> Kind | None:
    """Return the type that takes all values; None if no single type does.

    Args:
        values: those of a place, without null.
        is_time: whether the name is that of a time, so that whole numbers may be one.
        is_code: whether the name is that of an id or a code, so that digits in a text are no number.
    """
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return Kind("BOOLEAN")
    if kinds == {list}:
        return _kind_of_lists(values)
    if kinds <= {int, Decimal, str} and (time := time_kind(values, is_time, least=1.0)):
        return time
    if kinds <= {int, Decimal}:
        is_whole = kinds == {int} and _are_bigints(values)
        is_double = Decimal in kinds and _are_doubles(values)
        return Kind("BIGINT") if is_whole else Kind("DOUBLE") if is_double else Kind("STRING", is_lenient=True)
    if kinds <= {int, Decimal, str}:
        return _kind_of_texts(values, kinds, is_code)
    return Kind("STRING", is_lenient=True) if kinds <= {int, Decimal, str, bool} else None


def _kind_of_texts(values: Collection[Any], kinds: set[type], is_code: bool) -> Kind:
    if kinds == {str} and _fits(values, date_reader(None), 1.0) and not all(map(str.isdigit, values)):
        return Kind("DATE")
    if kinds == {str} and {value.lower() for value in values} <= {"true", "false"}:
        return Kind("BOOLEAN", is_lenient=True)
    numbers = [_NUMBER.fullmatch(str(value)) for value in values]
    if all(numbers) and not is_code and _are_doubles(values):
        is_whole = not any(number and number[1] for number in numbers) and _are_bigints([Decimal(v) for v in values])
        return Kind("BIGINT" if is_whole else "DOUBLE", is_lenient=True)
    return Kind("STRING", is_lenient=kinds != {str})


def _kind_of_lists(values: Collection[list[Any]]) -> Kind | None:
    elements = [each for value in values for each in value if each is not None]
    kinds = {type(each) for each in elements}
    names = {str: "STRING", bool: "BOOLEAN", int: "BIGINT", Decimal: "DOUBLE"}
    if kinds == {int, Decimal} and _are_doubles(elements):
        return Kind("ARRAY<DOUBLE>")
    if (kinds == {int} and not _are_bigints(elements)) or (kinds == {Decimal} and not _are_doubles(elements)):
        return None
    return Kind(f"ARRAY<{names[kinds.pop()]}>") if len(kinds) == 1 and kinds <= set(names) else None


def _are_bigints(values: Collection[Any]) -> bool:
    return all(abs(value) <= _LARGEST for value in values)


def _are_doubles(values: Collection[Any]) -> bool:
    # abs() fails on 1e999999999, which JSON may hold.
    return all(-MAX_FLOAT64 <= Decimal(value) <= MAX_FLOAT64 for value in values)


def time_kind(values: Collection[Any], is_time: bool, least: float) -> Kind | None:
    """Return how values are read as times; None if they are none.

    Args:
        values: those of a place, without null.
        is_time: whether the name is that of a time; without it, a number is none, nor is a day without a clock.
        least: share of the values that must be times.
    """
    if not is_time and any(isinstance(value, int | Decimal) or _is_digits(value) for value in values):
        return None
    if _fits(values, _plain_time, least):
        return Kind("TIMESTAMP")
    forms = [form for form in FORMATS if is_time or _MINUTE in form]
    fitting = [form for form in forms if _fits(values, time_reader(form, None), least)]
    # Of 01/03 and 03/01 the one by which the sample spans less time.
    spans = {form: _span(values, form) for form in fitting}
    return Kind("TIMESTAMP", format=min(fitting, key=lambda form: spans[form])) if fitting else None


def _plain_time(value: Any) -> dt.datetime:
    time: dt.datetime = time_reader(None, None)(value)
    if isinstance(value, int | Decimal) and value < FIRST_PLAIN_EPOCH:
        raise ValueError("a small number may be anything")
    return time


def _span(values: Collection[Any], form: str) -> dt.timedelta:
    times: list[dt.datetime] = [time for value in values if (time := _read(time_reader(form, None), value))]
    return max(times) - min(times)


def _fits(values: Collection[Any], read: Callable[[Any], Any], least: float) -> bool:
    misses = (value for value in values if _read(read, value) is None)
    allowed = int((1 - least) * len(values) + _ROUNDING)
    return next(islice(misses, allowed, None), None) is None


def _read(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and _DIGITS.fullmatch(value) is not None
