"""Values that were read from many records at once become the columns of a click.

Only what is common and certain becomes a column so. A record with a value that does not fit is bad, and left to those
who read records one by one, and know the reasons.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.scoring.reading import reading_of, steps_of
from clickscore.scoring.record_cursor import Cursor, Ints, Texts
from clickscore.scoring.times import (
    FIRST_PLAIN_EPOCH,
    FIRST_TIME_US,
    LAST_PLAIN_EPOCH,
    LAST_TIME_US,
    MILLISECONDS_BELOW,
    SECONDS_BELOW,
)
from clickscore.scoring.values import WHOLE

Path = tuple[str, ...]
Leaf = TypeVar("Leaf")

DAYS = (-719_162, 2_932_896)
"""The days of the years 1 to 9999, since 1970."""
_US = 1_000_000


class Found(NamedTuple):
    """The values of a field.

    Attributes:
        rows: numbers of the records that have it.
        values: in them: numbers, ``Texts``, or an array of texts.
        is_time: whether whole numbers are microseconds since 1970.
        is_text: whether the bytes must be UTF-8, even if no field of a click reads them.
    """

    rows: Ints
    values: Any
    is_time: bool = False
    is_text: bool = False


def are_plain(click: pa.Schema, leaves: Mapping[Path, Leaf], fits: Callable[[Leaf, pa.DataType], bool]) -> bool:
    """Tell whether each field of a click is a single value of a record, read in no way of its own.

    Args:
        click: the fields.
        leaves: the single values of a record, by their paths.
        fits: tells whether one may become a column of a type.
    """
    for field in click:
        reading, paths = reading_of(field), steps_of(field)
        if reading.is_lenient or reading.format or reading.zone or len(paths) != 1:
            return False
        if not all(isinstance(step, str) for step in paths[0]):
            return False
        leaf = leaves.get(_path(field))
        is_absent = not any(path[: len(paths[0])] == paths[0] or paths[0][: len(path)] == path for path in leaves)
        if (leaf is None and not (is_absent and field.nullable)) or (leaf is not None and not fits(leaf, field.type)):
            return False
    return True


def click_columns(
    cursor: Cursor, click: pa.Schema, found: Mapping[Path, Found], passed: Iterable[Found] = ()
) -> tuple[list[pa.Array], npt.NDArray[np.bool_]] | None:
    """Return the columns of a click, and which records are bad; None if texts are no UTF-8.

    Args:
        cursor: behind the last value.
        click: fields that ``are_plain``.
        found: the values by their paths.
        passed: other values, which no field of a click can name.
    """
    wanted = [_path(field) for field in click]
    others = [each for path, each in found.items() if path not in wanted]
    try:
        columns = [_column(cursor, field, found.get(path)) for field, path in zip(click, wanted, strict=True)]
        for each in (*others, *passed):  # nobody reads them, but a record with a text that is none is malformed
            if each.is_text:
                _text_column(cursor, each.rows, each.values, np.zeros(len(cursor.at), bool))
    except pa.ArrowInvalid:
        return None
    return columns, cursor.is_bad


def _path(field: pa.Field) -> Path:
    return tuple(map(str, steps_of(field)[0]))


def _column(cursor: Cursor, field: pa.Field, found: Found | None) -> pa.Array:
    count = len(cursor.at)
    if found is None:
        return pa.nulls(count, field.type)
    rows, values, is_time, _ = found
    is_null = np.ones(count, bool)
    is_null[rows] = False
    if not field.nullable:
        cursor.is_bad |= is_null
    if isinstance(values, Texts):
        return _text_column(cursor, rows, values, is_null)
    if isinstance(values, pa.Array):  # symbols of an enum
        numbers = np.zeros(count, np.int64)
        numbers[rows] = np.arange(len(rows))
        return values.take(pa.array(numbers, mask=is_null))
    if values.dtype == np.int64 and not pa.types.is_float64(field.type):
        values = _within(cursor, rows, values, is_time, field.type)
    full = np.zeros(count, values.dtype)
    full[rows] = values
    column = pa.array(full, mask=is_null)
    if pa.types.is_timestamp(field.type):
        return column.view(field.type)
    return column.cast(pa.int32()).view(field.type) if pa.types.is_date32(field.type) else column.cast(field.type)


def _within(cursor: Cursor, rows: Ints, values: Ints, is_time: bool, column: pa.DataType) -> Ints:
    """Return whole numbers that a column takes, with zero in the place of others."""
    if pa.types.is_date32(column):
        low, high = DAYS
    elif column in WHOLE:
        low, high = -(2 ** (WHOLE[column] - 1)), 2 ** (WHOLE[column] - 1) - 1
    elif is_time:
        low, high = FIRST_TIME_US, LAST_TIME_US
    else:  # a time as it comes in JSON, too: its size tells the unit
        low, high = FIRST_PLAIN_EPOCH, LAST_PLAIN_EPOCH
    is_odd = (values < low) | (values > high)
    cursor.is_bad[rows[is_odd]] = True
    values = np.where(is_odd, 0, values)
    if pa.types.is_timestamp(column) and not is_time:
        values = values * np.where(values < SECONDS_BELOW, _US, np.where(values < MILLISECONDS_BELOW, 1_000, 1))
    return values


def _text_column(cursor: Cursor, rows: Ints, texts: Texts, is_null: npt.NDArray[np.bool_]) -> pa.Array:
    starts, lengths = np.zeros(len(is_null), np.int64), np.zeros(len(is_null), np.int64)
    starts[rows], lengths[rows] = texts
    lengths[cursor.is_bad] = 0
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(starts - offsets[:-1], lengths)
    places += np.arange(len(places))
    valid = pa.array(~is_null).buffers()[1]
    buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(cursor.data[places])]
    column = pa.Array.from_buffers(pa.large_string(), len(is_null), buffers)
    column.validate(full=True)  # the bytes are any
    return column.cast(pa.string())
