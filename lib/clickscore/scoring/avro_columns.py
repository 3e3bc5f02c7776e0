"""Many records of Avro become columns at once, field by field over all of them: a sixth of the cost of one by one.

Only what is common and certain is read so: records within records, single values, unions with null. A record that is
anything else, or has a value that does not fit, is left to ``avro``, which knows the reasons.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.scoring.record_cursor import Cursor, Ints
from clickscore.scoring.times import FIRST_TIME_US, LAST_TIME_US
from clickscore.scoring.typed_columns import DAYS, Found, Path, are_plain, click_columns
from clickscore.scoring.values import WHOLE

_PER_SECOND = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
_US = 1_000_000


def reads(schema: Any, named: Mapping[str, Any], click: pa.Schema) -> bool:
    """Tell whether the records of a schema can be read so for the fields of a click.

    Args:
        schema: of Avro, as fastavro has parsed it.
        named: its types that have a name.
        click: the fields.
    """
    leaves = _leaves(schema, named, ())
    return leaves is not None and are_plain(click, leaves, _fits)


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
    return click_columns(cursor, click, found)


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
        values = _READERS[_kind(schema)](cursor, rows, schema)
        found[path] = Found(rows, values, bool(_logical(schema)), _kind(schema) == "string")
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
        cursor.is_bad[rows[(values < DAYS[0]) | (values > DAYS[1])]] = True
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


def _texts(cursor: Cursor, rows: Ints, _: Any) -> Any:
    return cursor.texts(rows, cursor.longs(rows))


def _skipped(cursor: Cursor, rows: Ints, schema: Any) -> Any:
    cursor.move(rows, cursor.at[rows] + schema["size"])


_READERS: dict[str, Callable[[Cursor, Ints, Any], Any]] = {
    "boolean": _booleans, "int": _longs, "long": _longs, "float": _floats, "double": _floats, "enum": _enums,
    "string": _texts, "bytes": _texts,
    "fixed": _skipped, "null": lambda *_: None,
}  # fmt: skip
