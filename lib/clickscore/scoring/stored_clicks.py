"""Clicks of a table, as the parser would return them: they have their types, and only what is required may lack."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.reasons import MISSING_FIELD
from clickscore.scoring.decoding import Rejection, cut

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


def columns_of(clicks: pa.StructArray, click: pa.Schema) -> list[pa.Array]:
    """Return the columns of clicks, which are in the order of the schema, with its types."""
    return [as_type(column, kind) for column, kind in zip(clicks.flatten(), click.types, strict=True)]


def as_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column with another type; a field of a STRUCT may be null in it, also where the type says NOT NULL.

    Rows of a table that are older than the field have none, and Arrow's own cast refuses the whole column for that.
    """
    if column.type == kind:
        return column
    if pa.types.is_struct(kind):
        parts = dict(zip(column.type.names, column.flatten(), strict=True))  # a table has its newest fields at the end
        inner = [as_type(parts.get(field.name, pa.nulls(len(column), field.type)), field.type) for field in kind]
        return pa.StructArray.from_arrays(inner, fields=list(kind), mask=column.is_null())
    if pa.types.is_list(kind) and pa.types.is_list(column.type):
        offsets, [values] = _elements(column, column.values)
        return pa.ListArray.from_arrays(offsets, as_type(values, kind.value_type), kind, mask=column.is_null())
    if pa.types.is_map(kind) and pa.types.is_map(column.type):
        offsets, [keys, items] = _elements(column, column.keys, column.items)
        keys, items = as_type(keys, kind.key_type), as_type(items, kind.item_type)
        return pa.MapArray.from_arrays(offsets, keys, items, kind, mask=column.is_null())
    return column.cast(kind)


def _elements(column: pa.Array, *parts: pa.Array) -> tuple[pa.Array, list[pa.Array]]:
    """Return where the elements of each value of a LIST or a MAP begin, and these elements alone."""
    offsets = column.offsets.to_numpy()
    first, count = int(offsets[0]), int(offsets[-1] - offsets[0])
    return pa.array(offsets - first, pa.int32()), [part.slice(first, count) for part in parts]


def missing(columns: list[pa.Array], click: pa.Schema) -> dict[int, Rejection]:
    """Return the clicks that lack what the schema requires, which had fewer fields when they were scored."""
    found: dict[int, Rejection] = {}
    every = np.arange(len(columns[0]))
    for row, path in _absent("", click, columns, every, np.ones(len(every), bool)):
        found.setdefault(row, Rejection(MISSING_FIELD, cut(f"{path} is missing")))
    return found


def _absent(
    prefix: str, fields: Iterable[pa.Field], columns: list[pa.Array], rows: Numbers, is_there: Flags
) -> Iterator[tuple[int, str]]:
    """Yield what objects lack: the click that an object is of, and the path; ``rows`` are their clicks."""
    for field, column in zip(fields, columns, strict=True):
        path, is_null = prefix + field.name, _nulls(column)
        if not field.nullable:
            yield from ((row, path) for row in rows[is_null & is_there].tolist())
        yield from _absent_within(path, field.type, column, rows, is_there & ~is_null)


def _absent_within(
    path: str, kind: pa.DataType, column: pa.Array, rows: Numbers, is_there: Flags
) -> Iterator[tuple[int, str]]:
    if pa.types.is_struct(kind):
        yield from _absent(f"{path}.", kind, column.flatten(), rows, is_there)
    elif pa.types.is_list(kind) or pa.types.is_map(kind):
        inner = kind.value_type if pa.types.is_list(kind) else kind.item_type
        offsets, [values] = _elements(column, column.values if pa.types.is_list(kind) else column.items)
        owner = np.repeat(np.arange(len(column)), np.diff(offsets.to_numpy()))
        is_inner_there = is_there[owner] & ~_nulls(values)
        yield from _absent_within(f"{path}[...]", inner, values, rows[owner], is_inner_there)


def _nulls(column: pa.Array) -> Flags:
    return np.asarray(column.is_null().to_numpy(zero_copy_only=False))
