"""A click schema becomes the types that a typed decoder checks a record against, in one pass.

There are two sets of them. The quick one takes the usual spelling of each value in the decoder's own code. The patient
one asks Python about each time and day, and so takes more spellings; where the quick one takes a value, it gives the
same. Fields that the configuration reads in a way of their own are asked about in both.
"""

import datetime as dt
from abc import ABCMeta
from decimal import Decimal, DecimalException
from types import GenericAlias
from typing import Annotated, Any, Required, TypedDict

import msgspec
import pyarrow as pa

from clickscore.scoring.reading import Reading, reading_of
from clickscore.scoring.times import FIRST_PLAIN_EPOCH, LAST_PLAIN_EPOCH, Read, date_reader, time_reader
from clickscore.scoring.values import MAX_FLOAT32, WHOLE, decimal_reader, digits, lenient_reader

_PLAIN: dict[pa.DataType, Any] = {
    pa.string(): str,
    pa.bool_(): bool,
    pa.float64(): float,
    pa.float32(): Annotated[float, msgspec.Meta(ge=-MAX_FLOAT32, le=MAX_FLOAT32)],
}
_EPOCH = Annotated[int, msgspec.Meta(ge=FIRST_PLAIN_EPOCH, le=LAST_PLAIN_EPOCH)]

_TYPED_DICT: Any = TypedDict
"""Untyped, as its fields are known only when the schema has been read."""


def record_decoder(click: pa.Schema, is_quick: bool) -> msgspec.json.Decoder[Any]:
    """Return what decodes a record into an object with the attributes ``f0``, ``f1``, ... in the order of the schema.

    Args:
        click: the fields of a click.
        is_quick: whether times and days are taken only as the decoder itself knows them.
    """
    # Generated attribute names, because a field may be called `class` or `page-url`.
    fields: list[Any] = []
    for number, field in enumerate(click):
        reading = reading_of(field)
        value = _value(field.type, reading, is_quick)
        if value is dt.datetime:
            value |= _EPOCH
        if field.nullable:
            fields.append((f"f{number}", value | None, msgspec.field(name=field.name, default=None)))
        else:
            fields.append((f"f{number}", value, msgspec.field(name=field.name)))
    # Records hold no cycles: without them the garbage collector has nothing to walk. Only keywords let a required field
    # follow an optional one.
    struct = msgspec.defstruct("Click", fields, gc=False, kw_only=True)
    is_lenient = any(reading_of(field).is_lenient for field in click)
    return msgspec.json.Decoder(struct, dec_hook=_ask, float_hook=digits if is_lenient else _number)


def _value(kind: pa.DataType, reading: Reading, is_quick: bool) -> Any:
    if pa.types.is_list(kind):
        return GenericAlias(list, (_value(kind.value_type, reading, is_quick) | None,))
    if pa.types.is_map(kind):
        return GenericAlias(dict, (str, _value(kind.item_type, reading, is_quick) | None))
    if pa.types.is_struct(kind):
        return _TYPED_DICT("Nested", {field.name: _entry(field, reading, is_quick) for field in kind}, total=False)
    if pa.types.is_timestamp(kind):
        is_usual = is_quick and not reading.format and not reading.zone
        return dt.datetime if is_usual else _asked(dt.datetime, time_reader(reading.format, reading.zone))
    if pa.types.is_date(kind):
        return dt.date if is_quick and not reading.format else _asked(dt.date, date_reader(reading.format))
    if pa.types.is_decimal(kind):
        # Of its own accord the decoder would take texts, too.
        name = f"decimal({kind.precision},{kind.scale})"
        return _asked(Decimal, decimal_reader(kind, name, reading.is_lenient))
    if reading.is_lenient:
        return _lenient(kind)
    if kind in WHOLE:
        half = 2 ** (WHOLE[kind] - 1)
        return Annotated[int, msgspec.Meta(ge=-half, le=half - 1)]
    return _PLAIN[kind]


def _lenient(kind: pa.DataType) -> Any:
    python = int if kind in WHOLE else {pa.string(): str, pa.bool_(): bool}.get(kind, float)
    return _asked(python, lenient_reader(kind, python.__name__))


def _entry(field: pa.Field, reading: Reading, is_quick: bool) -> Any:
    value = _value(field.type, reading, is_quick)
    return value | None if field.nullable else Required[value]


def _asked(result: type, read: Read) -> Any:
    """Return a type of its own, which the decoder knows nothing of, so that it asks ``read`` about each value."""
    kind = ABCMeta("Asked", (), {"convert": staticmethod(read)})
    kind.register(result)
    return kind


def _ask(kind: Any, value: object) -> Any:
    return kind.convert(value)


def _number(text: str) -> Decimal:
    """Return a number of JSON with all its digits."""
    try:
        return Decimal(text)
    except DecimalException:  # an exponent of twenty digits
        raise ValueError("Number out of range") from None
