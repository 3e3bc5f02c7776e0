"""The columns of a table: which Delta can order, and whether rows of others can be appended."""

from collections.abc import Iterator, Sequence

from pyspark.sql import types as T

from clickscore.errors import TableError


def with_order(schema: T.StructType, names: Sequence[str]) -> list[str]:
    """Return the columns that Delta keeps minima and maxima of."""
    return [name for name in names if not isinstance(schema[name].dataType, T.BooleanType | T.BinaryType)]


def _stricter(field: T.StructField, other: T.StructField) -> Iterator[str]:
    """Yield the path of each field, nested ones too, that may be null, but not in the table."""
    if field.nullable and not other.nullable:
        yield field.name
    if isinstance(field.dataType, T.StructType) and isinstance(other.dataType, T.StructType):
        for inner, of_table in zip(field.dataType.fields, other.dataType.fields, strict=True):
            yield from (f"{field.name}.{path}" for path in _stricter(inner, of_table))


def check_table(table: str, expected: T.StructType, found: T.StructType) -> None:
    """Make sure that rows of the expected shape can be appended to a table that exists already.

    More columns in the table are fine as long as they may be null.

    Raises:
        TableError: with all differences in one message.
    """
    present = {field.name: field for field in found.fields}
    differences = []
    for field in expected.fields:
        other = present.pop(field.name, None)
        wanted = field.dataType.simpleString()
        if other is None:
            differences.append(f"{field.name} {wanted}: missing in the table")
        elif other.dataType.simpleString() != wanted:
            differences.append(f"{field.name}: expected {wanted}, the table has {other.dataType.simpleString()}")
        else:
            differences += [f"{path}: may be null, but the table says NOT NULL" for path in _stricter(field, other)]
    differences += [f"{name}: NOT NULL in the table, but unknown here" for name, f in present.items() if not f.nullable]
    if differences:
        lines = "\n".join(f"  - {difference}" for difference in differences)
        raise TableError(
            f"{table} exists with another schema:\n{lines}\n"
            f"jobs/score_stream.py --plan shows the statements that change the table, and --apply-contract runs them; "
            f"or name another table under output in the configuration."
        )
