"""Many records of Avro become columns at once, field by field over all of them: a sixth of the cost of one by one.

Only what is common and certain is read so: records within records, single values, unions with null. A record that is
anything else, or has a value that does not fit, is left to ``avro``, which knows the reasons.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.scoring.avro_cursor import Cursor, Ints, Texts
from clickscore.scoring.reading import reading_of, steps_of
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

_DAYS = (-719_162, 2_932_896)
"""The days of the years 1 to 9999, since 1970."""
_PER_SECOND = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
_US = 1_000_000


class Found(NamedTuple):
    """Numbers of the records that have a field, its values in them, and its type."""

    rows: Ints
    values: Any
    schema: Any


def reads(schema: Any, named: Mapping[str, Any], click: pa.Schema) -> bool:
    """Tell whether the records of a schema can be read so for the fields of a click.

    Args:
        schema: of Avro, as fastavro has parsed it.
        named: its types that have a name.
        click: the fields.
    """
    leaves = _leaves(schema, named, ())
    if leaves is None:
        return False
    for field in click:
        reading, paths = reading_of(field), steps_of(field)
        if reading.is_lenient or reading.format or reading.zone or len(paths) != 1:
            return False
        if not all(isinstance(step, str) for step in paths[0]):
            return False
        leaf = leaves.get(tuple(map(str, paths[0])))
        is_absent = not any(path[: len(paths[0])] == paths[0] or paths[0][: len(path)] == path for path in leaves)
        if (leaf is None and not (is_absent and field.nullable)) or (leaf is not None and not _fits(leaf, field.type)):
            return False
    return True


def read_columns(
    schema: Any, named: Mapping[str, Any], click: pa.Schema, data: npt.NDArray[np.uint8], starts: Ints, ends: Ints
) -> tuple[list[pa.Array], npt.NDArray[np.bool_]] | None:
    """Return the columns of a click, and which records are not read; None if their texts are no UTF-8.

    Args:
        schema: one that ``reads`` takes.
        named: its types that have a name.
        click: the fields.
        data: the bytes that the records stand in.
        starts: where each of them begins.
        ends: where it ends.
    """
    cursor, found = Cursor(data, starts, ends), dict[Path, Found]()
    _walk(cursor, schema, named, (), np.arange(len(starts)), found)
    cursor.is_bad |= cursor.at != ends
    wanted = [tuple(map(str, steps_of(field)[0])) for field in click]
    texts = [each for path, each in found.items() if path not in wanted and _kind(each.schema) == "string"]
    try:
        columns = [_column(cursor, field, found.get(path)) for field, path in zip(click, wanted, strict=True)]
        for rows, text, _ in texts:  # nobody reads them, but with one that is no text the record is no Avro
            _text_column(cursor, rows, text, np.zeros(len(starts), bool))
    except pa.ArrowInvalid:
        return None
    return columns, cursor.is_bad


def _leaves(schema: Any, named: Mapping[str, Any], path: Path) -> dict[Path, Any] | None:
    """Return the types of the single values in a record by their paths; None if it has anything else."""
    schema = _resolved(_value_branch(schema), named)
    if schema is None:
        return None
    if _kind(schema) != "record":
        return {path: schema} if _kind(schema) in _READERS else None
    leaves: dict[Path, Any] = {}
    for field in schema["fields"]:
        inner = _leaves(field["type"], named, (*path, field["name"]))
        if inner is None:
            return None
        leaves |= inner
    return leaves


def _value_branch(schema: Any) -> Any:
    """Return what a union with null is otherwise; None for another union."""
    if not isinstance(schema, list):
        return schema
    others = [branch for branch in schema if branch != "null"]
    return others[0] if len(schema) == 2 and len(others) == 1 else None


def _resolved(schema: Any, named: Mapping[str, Any]) -> Any:
    return named.get(schema, schema) if isinstance(schema, str) else schema


def _kind(schema: Any) -> str:
    return str(schema if isinstance(schema, str) else schema["type"])


def _logical(schema: Any) -> str | None:
    return None if isinstance(schema, str) else schema.get("logicalType")


def _fits(schema: Any, column: pa.DataType) -> bool:
    kind, logical = _kind(schema), _logical(schema)
    if kind in ("int", "long"):
        if pa.types.is_timestamp(column):
            return kind == "long" and (logical is None or "timestamp" in logical)
        if pa.types.is_date32(column):
            return logical == "date"
        return logical is None and (column in WHOLE or pa.types.is_float64(column))
    if logical is not None:
        return False
    wanted = {"string": pa.string(), "enum": pa.string(), "boolean": pa.bool_(), "double": pa.float64(),
              "float": pa.float64()}  # fmt: skip
    return bool(wanted.get(kind) == column)


def _walk(
    cursor: Cursor, schema: Any, named: Mapping[str, Any], path: Path, rows: Ints, found: dict[Path, Found]
) -> None:
    if isinstance(schema, list):
        branch = cursor.longs(rows)
        cursor.is_bad[rows[(branch != 0) & (branch != 1)]] = True
        rows = rows[branch == 1 - schema.index("null")]
        schema = _value_branch(schema)
    schema = _resolved(schema, named)
    if _kind(schema) != "record":
        found[path] = Found(rows, _READERS[_kind(schema)](cursor, rows, schema), schema)
        return
    for field in schema["fields"]:
        _walk(cursor, field["type"], named, (*path, field["name"]), rows, found)


def _booleans(cursor: Cursor, rows: Ints, _: Any) -> Any:
    values = cursor.fixed(rows, 1, "u1")
    cursor.is_bad[rows[values > 1]] = True
    return values == 1


def _floats(cursor: Cursor, rows: Ints, schema: Any) -> Any:
    size = 8 if _kind(schema) == "double" else 4
    values = cursor.fixed(rows, size, f"<f{size}").astype(np.float64)
    cursor.is_bad[rows[~np.isfinite(values)]] = True
    return values


def _longs(cursor: Cursor, rows: Ints, schema: Any) -> Any:
    values, logical = cursor.longs(rows), _logical(schema) or ""
    if logical == "date":  # whether anybody reads it or not, with a day of no year the record is no click
        cursor.is_bad[rows[(values < _DAYS[0]) | (values > _DAYS[1])]] = True
    if "timestamp" not in logical:
        return values
    per_second = _PER_SECOND[logical.rpartition("-")[2]]
    if per_second > _US:
        return values // (per_second // _US)
    factor = _US // per_second
    cursor.is_bad[rows[(values < FIRST_TIME_US // factor) | (values > LAST_TIME_US // factor)]] = True
    return values * factor


def _enums(cursor: Cursor, rows: Ints, schema: Any) -> Any:
    numbers, symbols = cursor.longs(rows), pa.array(schema["symbols"], pa.string())
    is_odd = (numbers < 0) | (numbers >= len(symbols))
    cursor.is_bad[rows[is_odd]] = True
    return symbols.take(pa.array(np.where(is_odd, 0, numbers)))


def _skipped(cursor: Cursor, rows: Ints, schema: Any) -> Any:
    cursor.move(rows, cursor.at[rows] + schema["size"])


_READERS: dict[str, Callable[[Cursor, Ints, Any], Any]] = {
    "boolean": _booleans, "int": _longs, "long": _longs, "float": _floats, "double": _floats, "enum": _enums,
    "string": lambda cursor, rows, _: cursor.texts(rows), "bytes": lambda cursor, rows, _: cursor.texts(rows),
    "fixed": _skipped, "null": lambda *_: None,
}  # fmt: skip


def _column(cursor: Cursor, field: pa.Field, found: Found | None) -> pa.Array:
    count = len(cursor.at)
    if found is None:
        return pa.nulls(count, field.type)
    rows, values, schema = found
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
        values = _within(cursor, rows, values, schema, field.type)
    full = np.zeros(count, values.dtype)
    full[rows] = values
    column = pa.array(full, mask=is_null)
    if pa.types.is_timestamp(field.type):
        return column.view(field.type)
    return column.cast(pa.int32()).view(field.type) if pa.types.is_date32(field.type) else column.cast(field.type)


def _within(cursor: Cursor, rows: Ints, values: Ints, schema: Any, column: pa.DataType) -> Ints:
    """Return whole numbers that a column takes, with zero in the place of others."""
    if pa.types.is_date32(column):
        low, high = _DAYS
    elif column in WHOLE:
        low, high = -(2 ** (WHOLE[column] - 1)), 2 ** (WHOLE[column] - 1) - 1
    elif _logical(schema):
        low, high = FIRST_TIME_US, LAST_TIME_US
    else:  # a time as it comes in JSON, too: its size tells the unit
        low, high = FIRST_PLAIN_EPOCH, LAST_PLAIN_EPOCH
    is_odd = (values < low) | (values > high)
    cursor.is_bad[rows[is_odd]] = True
    values = np.where(is_odd, 0, values)
    if pa.types.is_timestamp(column) and not _logical(schema):
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
