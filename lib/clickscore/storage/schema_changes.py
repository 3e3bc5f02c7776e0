"""The difference between the columns that a run writes and those of a table, and the statements that make up for it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pyspark.sql import types as T

from clickscore.storage.schemas import as_ddl, literal, quoted

WIDENING = {"delta.enableTypeWidening": "true"}
"""Property without which Delta changes no type of a column."""

_WHOLE = (T.ByteType, T.ShortType, T.IntegerType, T.LongType)
"""Whole numbers, from the narrowest to the widest."""
_DIGITS: dict[type[T.DataType], int] = {T.ByteType: 10, T.ShortType: 10, T.IntegerType: 10, T.LongType: 20}
"""Digits before the point of the narrowest DECIMAL that Delta changes a whole number to."""
_IN_DOUBLE = (T.ByteType, T.ShortType, T.IntegerType, T.FloatType)


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        what: the column and the difference, for a person.
        action: what ``ALTER TABLE name`` does about it; None where the rows fit as they are.
        way_out: what to do instead, where the table cannot be changed without a loss.
        widens: whether it changes a type, which needs the property ``WIDENING``.
    """

    what: str
    action: str | None = None
    way_out: str | None = None
    widens: bool = False


def changes(expected: T.StructType, found: T.StructType, others: Collection[str] = ()) -> list[Change]:
    """Compare what a run writes with a table.

    Args:
        expected: the columns of the rows.
        found: those of the table.
        others: columns of the table that are somebody else's.
    """
    return list(_of_columns(expected, found, others))


def statements(table: str, found: list[Change], properties: Mapping[str, str]) -> list[str]:
    """Return the statements that change a table so that the rows fit; they lose nothing.

    Args:
        table: its name, as SQL writes it.
        found: the changes; those with a way out have no statement.
        properties: of the table.
    """
    actions = [change.action for change in found if change.action and not change.way_out]
    if any(change.widens for change in found) and not WIDENING.items() <= properties.items():
        pairs = ", ".join(f"{literal(key)} = {literal(value)}" for key, value in WIDENING.items())
        actions = [f"SET TBLPROPERTIES ({pairs})", *actions]
    return [f"ALTER TABLE {table} {action}" for action in actions]


def _of_columns(expected: T.StructType, found: T.StructType, others: Collection[str]) -> Iterator[Change]:
    yield from _of_fields((), expected, found)
    for field in found.fields:
        if field.name in expected.names or field.name in others:
            continue
        name = quoted(field.name)
        if field.nullable:
            yield Change(f"{field.name}: removed; the column stays, and is null in new rows")
        else:
            yield Change(
                f"{field.name}: removed; the column stays, may be null, and is null in new rows",
                f"ALTER COLUMN {name} DROP NOT NULL",
            )


def _of_fields(path: tuple[str, ...], expected: T.StructType, found: T.StructType) -> Iterator[Change]:
    present = {field.name: field for field in found.fields}
    spelt = {field.name.lower(): field.name for field in found.fields}
    before: str | None = None
    for field in expected.fields:
        inner = (*path, field.name)
        other = present.get(field.name)
        if other:
            yield from _of_types(inner, field.dataType, other.dataType)
            if field.nullable and not other.nullable:
                yield Change(f"{_name(inner)}: may be null now", f"ALTER COLUMN {_quoted(inner)} DROP NOT NULL")
        elif field.name.lower() in spelt:
            spelling = spelt[field.name.lower()]
            yield Change(f"{_name(inner)}: the table spells it {spelling}",
                         way_out=f"write {spelling} in the click schema")  # fmt: skip
        else:
            yield _addition(inner, field, before)
        before = field.name


def _addition(path: tuple[str, ...], field: T.StructField, before: str | None) -> Change:
    kind = _nullable(field.dataType)
    plain = T.StructField(field.name, kind, True, field.metadata)
    column = _quoted(path) + as_ddl(T.StructType([plain])).removeprefix(quoted(field.name))
    # Within a STRUCT, the order of the fields is a part of the type.
    place = "" if len(path) == 1 else f" AFTER {quoted(before)}" if before else " FIRST"
    return Change(f"{_name(path)}: added, {_type(field.dataType)}", f"ADD COLUMNS ({column}{place})")


def _of_types(path: tuple[str, ...], new: T.DataType, old: T.DataType) -> Iterator[Change]:
    match new, old:
        case T.StructType(), T.StructType():
            yield from _of_structs(path, new, old)
        case T.ArrayType(), T.ArrayType():
            yield from _of_types((*path, "element"), new.elementType, old.elementType)
        case T.MapType(), T.MapType():
            yield from _of_types((*path, "key"), new.keyType, old.keyType)
            yield from _of_types((*path, "value"), new.valueType, old.valueType)
        case _ if new.simpleString() == old.simpleString():
            return
        case _ if is_wider(new, old):
            action = f"ALTER COLUMN {_quoted(path)} TYPE {_type(new)}"
            yield Change(f"{_name(path)}: widened from {_type(old)} to {_type(new)}", action, widens=True)
        case _:
            kind = "narrowed" if is_wider(old, new) else "changed"
            yield Change(
                f"{_name(path)}: {kind} from {_type(old)} to {_type(new)}",
                way_out=f"write {_type(old)} in the click schema, as the table has it; or name a new table under "
                "output, with a new checkpoint",
            )


def _of_structs(path: tuple[str, ...], new: T.StructType, old: T.StructType) -> Iterator[Change]:
    yield from _of_fields(path, new, old)
    for name in old.names:
        if name not in new.names and name.lower() not in map(str.lower, new.names):
            yield Change(f"{_name((*path, name))}: removed from a STRUCT",
                         way_out="keep it in the click schema, where it may be null")  # fmt: skip
    if [name for name in old.names if name in new.names] != [name for name in new.names if name in old.names]:
        yield Change(f"{_name(path)}: its fields stand in another order",
                     way_out=f"write them in the order of the table: {', '.join(old.names)}")  # fmt: skip


def is_wider(new: T.DataType, old: T.DataType) -> bool:
    """Tell whether Delta changes a column from the old type to the new one, without a loss."""
    if isinstance(new, T.DecimalType):
        if isinstance(old, T.DecimalType):
            gained = new.precision - old.precision
            return gained >= new.scale - old.scale >= 0 and new != old
        digits = _DIGITS.get(type(old))
        return digits is not None and new.precision - new.scale >= digits
    if isinstance(new, T.DoubleType):
        return isinstance(old, _IN_DOUBLE)
    if isinstance(new, _WHOLE) and isinstance(old, _WHOLE):
        return _WHOLE.index(type(new)) > _WHOLE.index(type(old))
    return False


def _nullable(kind: T.DataType) -> T.DataType:
    """Return a type whose fields may all be null: rows that are there already have no value for them."""
    match kind:
        case T.StructType():
            return T.StructType(
                [T.StructField(field.name, _nullable(field.dataType), True, field.metadata) for field in kind.fields]
            )
        case T.ArrayType():
            return T.ArrayType(_nullable(kind.elementType))
        case T.MapType():
            return T.MapType(_nullable(kind.keyType), _nullable(kind.valueType))
    return kind


def _type(kind: T.DataType) -> str:
    text = kind.simpleString()
    return text if isinstance(kind, T.StructType | T.ArrayType | T.MapType) else text.upper()


def _name(path: tuple[str, ...]) -> str:
    return ".".join(path)


def _quoted(path: tuple[str, ...]) -> str:
    return ".".join(map(quoted, path))
