"""Many records of Protobuf become columns at once, field by field over all of them: a third of the cost of one by one.

Only what is common and certain is read so: the fields of a message in the order of their numbers, as every serializer
writes them, messages within messages, and lists that nobody asks for. A record that is anything else, or has a value
that does not fit, is left to ``protobuf``, which knows the reasons.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.scoring.protobuf_fields import Field, NotReadError, fields_of, fits, leaves, read_span
from clickscore.scoring.record_cursor import Cursor, Ints, Texts
from clickscore.scoring.record_groups import ReadColumns
from clickscore.scoring.times import FIRST_TIME_US, LAST_TIME_US
from clickscore.scoring.typed_columns import Found, Path, are_plain, click_columns

_MOST_ELEMENTS = 64
"""Of a list: a record with more is read one by one, as each takes a look at all records."""
_US, _NS_PER_US = 1_000_000, 1_000

Rows = npt.NDArray[np.bool_]


def reader(descriptor: Any, click: pa.Schema) -> ReadColumns | None:
    """Return what reads the messages of a kind at once for the fields of a click; None if they are read one by one."""
    try:
        fields = list(fields_of(descriptor))
    except NotReadError:
        return None
    return partial(_read_columns, fields, click) if are_plain(click, dict(leaves(fields)), fits) else None


def _read_columns(
    fields: Sequence[Field], click: pa.Schema, data: npt.NDArray[np.uint8], starts: Ints, ends: Ints
) -> tuple[list[pa.Array], Rows] | None:
    cursor, found = Cursor(data, starts, ends), dict[Path, Found]()
    passed: list[Found] = []
    _walk(cursor, fields, np.arange(len(starts)), found, passed)
    cursor.is_bad |= cursor.at != ends
    return click_columns(cursor, click, found, passed)


def _walk(cursor: Cursor, fields: Sequence[Field], rows: Ints, found: dict[Path, Found], passed: list[Found]) -> None:
    chosen: dict[str, Rows] = {}
    for field in fields:
        is_here = _find(cursor, field.tag, rows)
        here = rows[is_here]
        if field.is_required:
            cursor.is_bad[rows[~is_here]] = True
        if field.choice:
            before = chosen.setdefault(field.choice, np.zeros(len(cursor.at), bool))
            cursor.is_bad |= before & (made := _mask(before, here))
            before |= made
        if field.is_list:
            _pass_list(cursor, field, here, passed)
        elif field.kind == "message":
            _within(cursor, here, partial(_walk, cursor, field.fields, here, found, passed))
        else:
            values = _value(cursor, field, here)
            if field.has_default and len(here) < len(rows):
                here, values = rows, _with_defaults(values, is_here)
            if field.names:
                values = _named(cursor, here, values, field.names)
            found[field.path] = Found(here, values, field.kind == "time", field.kind == "string")


def _find(cursor: Cursor, tag: bytes, rows: Ints) -> Rows:
    """Tell in which records a field comes next, and pass its tag there."""
    at = cursor.at[rows]
    is_here: Rows = at + len(tag) <= cursor.ends[rows]
    for offset, byte in enumerate(tag):
        is_here &= cursor.data[at + offset] == byte
    cursor.at[rows] = at + is_here * len(tag)
    return is_here


def _mask(like: Rows, rows: Ints) -> Rows:
    mask = np.zeros_like(like)
    mask[rows] = True
    return mask


def _within(cursor: Cursor, rows: Ints, walk: Callable[[], None]) -> None:
    """Read what stands in a message within each of some records, to its very end."""
    around = cursor.ends[rows]
    starts, lengths = read_span(cursor, rows)
    cursor.at[rows], cursor.ends[rows] = starts, starts + lengths
    walk()
    cursor.is_bad[rows[cursor.at[rows] != starts + lengths]] = True
    cursor.at[rows], cursor.ends[rows] = starts + lengths, around


def _pass_list(cursor: Cursor, field: Field, rows: Ints, passed: list[Found]) -> None:
    """Pass over the elements of a list, the first of whose tags is passed."""
    for _ in range(_MOST_ELEMENTS):
        if not len(rows):
            return
        if field.kind == "message":
            inner: dict[Path, Found] = {}
            _within(cursor, rows, partial(_walk, cursor, field.fields, rows, inner, passed))
            passed += inner.values()
        else:
            values = _value(cursor, field, rows)
            passed.append(Found(rows, values, is_text=field.kind == "string"))
        rows = rows[_find(cursor, field.tag, rows)]
    cursor.is_bad[rows] = True


def _value(cursor: Cursor, field: Field, rows: Ints) -> Any:
    if field.take:
        return field.take(cursor, rows)
    parts: dict[Path, Found] = {}
    _within(cursor, rows, partial(_walk, cursor, field.fields, rows, parts, []))
    seconds, nanos = (parts[(name,)].values for name in ("seconds", "nanos"))
    is_odd = (seconds < FIRST_TIME_US // _US) | (seconds > LAST_TIME_US // _US)
    cursor.is_bad[rows[is_odd]] = True
    return np.where(is_odd, 0, seconds) * _US + nanos // _NS_PER_US


def _with_defaults(values: Any, is_here: Rows) -> Any:
    """Return the values, and 0, false or an empty text in the records that have none."""
    if isinstance(values, Texts):
        return Texts(*(_with_defaults(part, is_here) for part in values))
    full = np.zeros(len(is_here), values.dtype)
    full[is_here] = values
    return full


def _named(cursor: Cursor, rows: Ints, values: Ints, names: Sequence[tuple[int, str]]) -> pa.Array:
    numbers = np.array([number for number, _ in names])
    place = np.minimum(np.searchsorted(numbers, values), len(numbers) - 1)
    cursor.is_bad[rows[numbers[place] != values]] = True
    return pa.array([name for _, name in names], pa.string()).take(pa.array(place))
