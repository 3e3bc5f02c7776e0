"""Clicks of a table, as the parser would return them: they have their types, and only what is required may lack."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.reasons import MISSING_FIELD
from clickscore.scoring.decoding import Rejection, cut


def columns_of(clicks: pa.StructArray, click: pa.Schema) -> list[pa.Array]:
    """Return the columns of clicks, which are in the order of the schema, with its types."""
    pairs = zip(clicks.flatten(), click.types, strict=True)
    return [column if column.type == kind else column.cast(kind) for column, kind in pairs]


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
