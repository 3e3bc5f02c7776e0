"""The fields of a message of Protobuf, as they are read from many records at once: where they stand, and what as."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from google.protobuf.descriptor import FieldDescriptor

from clickscore.scoring.protobuf_schemas import DECIMAL, TIME, WRAPPERS
from clickscore.scoring.record_cursor import Cursor, Ints, Texts
from clickscore.scoring.typed_columns import Path
from clickscore.scoring.values import WHOLE

_VARINT, _BYTES_8, _SPAN, _BYTES_4 = 0, 1, 2, 5
"""How values are written: a number of some bytes, eight bytes, a length and so many bytes, four bytes."""

Read = Callable[[Cursor, Ints], Any]


class Field(NamedTuple):
    """Where a field of a message stands, and what is read of it.

    Attributes:
        tag: the bytes before its value.
        path: where a click finds it.
        kind: ``long``, ``int``, ``double``, ``bool``, ``string``, ``bytes``, ``enum``, ``time`` or ``message``.
        has_default: whether it has the empty value of its type where it was not set.
        is_required: whether a record without it is malformed.
        is_list: whether it may come more than once.
        choice: of several of which only one can be set, what they are; None otherwise.
        take: reads its value; None for a message.
        fields: those of a message.
        names: of an enum, by number.
    """

    tag: bytes
    path: Path
    kind: str
    has_default: bool = False
    is_required: bool = False
    is_list: bool = False
    choice: str | None = None
    take: Read | None = None
    fields: Sequence["Field"] = ()
    names: Sequence[tuple[int, str]] = ()


class NotReadError(Exception):
    """Raised for a message that is read one by one."""


def fields_of(descriptor: Any, path: Path = (), above: tuple[str, ...] = ()) -> Iterator[Field]:
    """Yield the fields of a message, in the order of their numbers.

    Args:
        descriptor: of the message.
        path: where it stands.
        above: names of the messages that hold it.

    Raises:
        NotReadError: if it holds its own kind, a list of numbers or booleans, or a decimal of Confluent.
    """
    if descriptor.full_name in above:
        raise NotReadError  # a message may hold its own kind
    above = (*above, descriptor.full_name)
    for field in sorted(descriptor.fields, key=lambda field: int(field.number)):
        yield _field(field, (*path, field.name), above)


def _field(field: Any, path: Path, above: tuple[str, ...]) -> Field:
    message, oneof = field.message_type, field.containing_oneof
    name = message.full_name if message else ""
    if field.type not in _SINGLE and (field.type != FieldDescriptor.TYPE_MESSAGE or name == DECIMAL):
        raise NotReadError
    wire, kind, take = _SINGLE.get(field.type, (_SPAN, "message", None))
    if field.is_repeated and wire != _SPAN:
        raise NotReadError  # may be packed
    found = Field(
        _varint(field.number << 3 | wire), path, kind,
        has_default=not field.has_presence and not field.is_repeated,
        is_required=field.is_required,
        is_list=field.is_repeated,
        choice=oneof.full_name if oneof and len(oneof.fields) > 1 else None,
        take=take,
    )  # fmt: skip
    if field.enum_type:
        names = {value.number: value.name for value in field.enum_type.values}
        return found._replace(names=sorted(names.items()))
    if not message:
        return found
    inner = list(fields_of(message, () if name == TIME else path, above))
    if name in WRAPPERS:
        inner = [inner[0]._replace(path=path)]
    return found._replace(kind="time" if name == TIME else "message", fields=inner)


def leaves(fields: Sequence[Field]) -> Iterator[tuple[Path, Field]]:
    """Yield the fields that are no messages, and lists, by their paths."""
    for field in fields:
        if field.kind == "message" and not field.is_list:
            yield from leaves(field.fields)
        else:
            yield field.path, field


def fits(field: Field, column: pa.DataType) -> bool:
    """Tell whether the values of a field may become a column."""
    if field.is_list:
        return False
    if field.kind in ("long", "int") and (column in WHOLE or pa.types.is_float64(column)):
        return True
    wanted = {"string": pa.string(), "enum": pa.string(), "bool": pa.bool_(), "double": pa.float64()}
    return bool(wanted.get(field.kind) == column) or (field.kind in ("long", "time") and pa.types.is_timestamp(column))


def read_span(cursor: Cursor, rows: Ints) -> Texts:
    """Pass what a length stands before, in each of some records, and note where it stands."""
    return cursor.texts(rows, cursor.numbers(rows).view(np.int64))


def _whole(low: int, high: int, cursor: Cursor, rows: Ints, is_signed: bool = False) -> Ints:
    values: Ints = cursor.longs(rows) if is_signed else cursor.numbers(rows).view(np.int64)
    cursor.is_bad[rows[(values < low) | (values > high)]] = True
    return values


def _booleans(cursor: Cursor, rows: Ints) -> npt.NDArray[np.bool_]:
    return _whole(0, 1, cursor, rows).astype(bool)


def _fixed(size: int, kind: str, cursor: Cursor, rows: Ints) -> Ints:
    values: Ints = cursor.fixed(rows, size, kind).astype(np.int64)
    if kind == "<u8":  # beyond what a column holds
        cursor.is_bad[rows[values < 0]] = True
    return values


def _doubles(size: int, cursor: Cursor, rows: Ints) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = cursor.fixed(rows, size, f"<f{size}").astype(np.float64)
    cursor.is_bad[rows[~np.isfinite(values)]] = True
    return values


def _varint(number: int) -> bytes:
    return bytes([number & 0x7F | 0x80]) + _varint(number >> 7) if number > 0x7F else bytes([number])


_INT, _LONG = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
_SINGLE: dict[int, tuple[int, str, Read | None]] = {
    FieldDescriptor.TYPE_INT32: (_VARINT, "int", partial(_whole, *_INT)),
    FieldDescriptor.TYPE_SINT32: (_VARINT, "int", partial(_whole, *_INT, is_signed=True)),
    FieldDescriptor.TYPE_UINT32: (_VARINT, "int", partial(_whole, 0, 2**32 - 1)),
    FieldDescriptor.TYPE_INT64: (_VARINT, "long", partial(_whole, *_LONG)),
    FieldDescriptor.TYPE_SINT64: (_VARINT, "long", partial(_whole, *_LONG, is_signed=True)),
    FieldDescriptor.TYPE_UINT64: (_VARINT, "long", partial(_whole, 0, _LONG[1])),
    FieldDescriptor.TYPE_FIXED32: (_BYTES_4, "int", partial(_fixed, 4, "<u4")),
    FieldDescriptor.TYPE_SFIXED32: (_BYTES_4, "int", partial(_fixed, 4, "<i4")),
    FieldDescriptor.TYPE_FIXED64: (_BYTES_8, "long", partial(_fixed, 8, "<u8")),
    FieldDescriptor.TYPE_SFIXED64: (_BYTES_8, "long", partial(_fixed, 8, "<i8")),
    FieldDescriptor.TYPE_FLOAT: (_BYTES_4, "double", partial(_doubles, 4)),
    FieldDescriptor.TYPE_DOUBLE: (_BYTES_8, "double", partial(_doubles, 8)),
    FieldDescriptor.TYPE_BOOL: (_VARINT, "bool", _booleans),
    FieldDescriptor.TYPE_ENUM: (_VARINT, "enum", partial(_whole, *_INT)),
    FieldDescriptor.TYPE_STRING: (_SPAN, "string", read_span),
    FieldDescriptor.TYPE_BYTES: (_SPAN, "bytes", read_span),
}
