"""Clicks of a table, as the parser would return them: they have their types, and only what is required may lack."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.reasons import MISSING_FIELD
from clickscore.scoring.decoding import Rejection, cut


def columns_of(clicks: pa.StructArray, click: pa.Schema) -> list[pa.Array]:
    """Return the columns of clicks, which are in the order of the schema, with its types."""
    return [as_type(column, kind) for column, kind in zip(clicks.flatten(), click.types, strict=True)]


def as_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column with another type; a field of a STRUCT may be null in it, also where the type says NOT NULL.

    Rows of a table that are older than the field have none, and Arrow's own cast refuses the whole column for that.
    """
    if column.type == kind:
        return column
    if not pa.types.is_struct(kind):
        return column.cast(kind)
    parts = dict(zip(column.type.names, column.flatten(), strict=True))  # a table has its newest fields at the end
    inner = [as_type(parts.get(field.name, pa.nulls(len(column))), field.type) for field in kind]
    return pa.StructArray.from_arrays(inner, fields=list(kind), mask=column.is_null())


def missing(columns: list[pa.Array], click: pa.Schema) -> dict[int, Rejection]:
    """Return the clicks that lack what the schema requires, which had fewer fields when they were scored."""
    found: dict[int, Rejection] = {}
    for row, path in _absent("", click, columns, np.ones(len(columns[0]), bool)):
        found.setdefault(row, Rejection(MISSING_FIELD, cut(f"{path} is missing")))
    return found


def _absent(
    prefix: str, fields: Iterable[pa.Field], columns: list[pa.Array], is_there: npt.NDArray[np.bool_]
) -> Iterator[tuple[int, str]]:
    for field, column in zip(fields, columns, strict=True):
        is_null = column.is_null().to_numpy(zero_copy_only=False)
        if not field.nullable:
            yield from ((row, prefix + field.name) for row in np.flatnonzero(is_null & is_there).tolist())
        if pa.types.is_struct(field.type):
            yield from _absent(f"{prefix}{field.name}.", field.type, column.flatten(), is_there & ~is_null)
