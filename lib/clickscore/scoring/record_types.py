"""The places of a record become the types that a typed decoder checks a record against, in one pass.

There are two sets of them. The quick one takes the usual spelling of each value in the decoder's own code. The patient
one asks Python about each time and day, and so takes more spellings; where the quick one takes a value, it gives the
same. Fields that the configuration reads in a way of their own are asked about in both.
"""

import datetime as dt
from abc import ABCMeta
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal, DecimalException
from functools import partial
from math import isfinite
from types import GenericAlias
from typing import Annotated, Any, NamedTuple, Required, TypedDict

import msgspec
import pyarrow as pa

from clickscore.scoring.reading import Reading, reading_of
from clickscore.scoring.record_tree import Node
from clickscore.scoring.times import FIRST_PLAIN_EPOCH, LAST_PLAIN_EPOCH, Read, date_reader, time_reader
from clickscore.scoring.values import MAX_FLOAT32, MAX_FLOAT64, WHOLE, decimal_reader, digits, lenient_reader

_PLAIN: dict[pa.DataType, Any] = {
    pa.string(): str,
    pa.bool_(): bool,
    pa.float32(): Annotated[float, msgspec.Meta(ge=-MAX_FLOAT32, le=MAX_FLOAT32)],
}
_EPOCH = Annotated[int, msgspec.Meta(ge=FIRST_PLAIN_EPOCH, le=LAST_PLAIN_EPOCH)]

_FINITE = Annotated[float, msgspec.Meta(ge=-MAX_FLOAT64, le=MAX_FLOAT64)]
"""A DOUBLE where a number may be none, as in Avro and Protobuf; JSON has no such numbers, and is spared the check."""


class _How(NamedTuple):
    """How values come: usual spellings only, or any; and what a DOUBLE is."""

    is_quick: bool
    double: Any = float


_TYPED_DICT: Any = TypedDict
"""Untyped, as its fields are known only when the schema has been read."""


def record_decoder(tree: Node, is_quick: bool, keeps_text: bool) -> tuple[Callable[[bytes], Any], Any]:
    """Return what decodes a record into an object, and such an object without values.

    The fields of an object are its attributes ``f0``, ``f1``, ... in the order of the tree.

    Args:
        tree: what the record holds.
        is_quick: whether times and days are taken only as the decoder itself knows them.
        keeps_text: whether numbers keep the digits that they are written with, for texts.
    """
    record, blank = _object(tree, _How(is_quick))
    return msgspec.json.Decoder(record, dec_hook=_ask, float_hook=digits if keeps_text else _number).decode, blank


def record_converter(tree: Node, is_quick: bool) -> tuple[Callable[[Any], Any], Any]:
    """Return what makes the object of ``record_decoder`` of objects and values, by the same rules, and one without any.

    Args:
        tree: what the record holds.
        is_quick: whether texts are taken for times and days only as the decoder itself knows them.
    """
    record, blank = _object(tree, _How(is_quick, _FINITE))
    return partial(msgspec.convert, type=record, dec_hook=_ask_about_value), blank


def _object(node: Node, how: _How) -> tuple[Any, Any]:
    # Generated attribute names, because a field may be called `class` or `page-url`.
    fields: list[Any] = []
    blanks: dict[str, Any] = {}
    for number, (name, inner) in enumerate(node.fields.items()):
        value, blank = _place(inner, how)
        blanks[f"f{number}"] = blank
        if inner.is_required:
            fields.append((f"f{number}", value, msgspec.field(name=name)))
        else:
            fields.append((f"f{number}", value | None, msgspec.field(name=name, default=blank)))
    # Records hold no cycles: without them the garbage collector has nothing to walk. Only keywords let a required field
    # follow an optional one. Frozen objects may stand for those that are not there.
    struct = msgspec.defstruct("Click", fields, gc=False, kw_only=True, frozen=True)
    return struct, struct(**blanks)


def _place(node: Node, how: _How) -> tuple[Any, Any]:
    """Return the type of what stands at a place, and what stands for it where nothing does."""
    if node.leaf:
        value = _value(*node.leaf, how)
        return (value | _EPOCH if value is dt.datetime else value), None
    if node.elements:
        return GenericAlias(list, (_place(node.elements, how)[0] | None,)), None
    return _object(node, how)


def _value(kind: pa.DataType, reading: Reading, how: _How) -> Any:
    if pa.types.is_list(kind):
        return GenericAlias(list, (_value(kind.value_type, reading, how) | None,))
    if pa.types.is_map(kind):
        return GenericAlias(dict, (str, _value(kind.item_type, reading, how) | None))
    if pa.types.is_struct(kind):
        return _TYPED_DICT("Nested", {field.name: _entry(field, reading, how) for field in kind}, total=False)
    if pa.types.is_timestamp(kind):
        is_usual = how.is_quick and not reading.format and not reading.zone
        return dt.datetime if is_usual else _asked(dt.datetime, time_reader(reading.format, reading.zone))
    if pa.types.is_date(kind):
        return dt.date if how.is_quick and not reading.format else _asked(dt.date, date_reader(reading.format))
    if pa.types.is_decimal(kind):
        # Of its own accord the decoder would take texts, too.
        name = f"decimal({kind.precision},{kind.scale})"
        return _asked(Decimal, decimal_reader(kind, name, reading.is_lenient))
    if reading.is_lenient:
        return _lenient(kind)
    if kind in WHOLE:
        half = 2 ** (WHOLE[kind] - 1)
        return Annotated[int, msgspec.Meta(ge=-half, le=half - 1)]
    return how.double if pa.types.is_float64(kind) else _PLAIN[kind]


def _lenient(kind: pa.DataType) -> Any:
    python = int if kind in WHOLE else {pa.string(): str, pa.bool_(): bool}.get(kind, float)
    return _asked(python, lenient_reader(kind, python.__name__))


def _entry(field: pa.Field, reading: Reading, how: _How) -> Any:
    value = _value(field.type, reading, how)
    return value | None if field.nullable else Required[value]


def _asked(result: type, read: Read) -> Any:
    """Return a type of its own, which the decoder knows nothing of, so that it asks ``read`` about each value."""
    kind = ABCMeta("Asked", (), {"convert": staticmethod(read), "result": result})
    kind.register(result)
    return kind


def _ask(kind: Any, value: object) -> Any:
    return kind.convert(value)


def _ask_about_value(kind: Any, value: object) -> Any:
    """Ask about a value that did not come as JSON: a number with a fraction as JSON has it, a time as it is."""
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError(f"Expected a number, found {value}")
        return kind.convert(digits(repr(value)))
    if isinstance(value, dt.date):
        if type(value) is not kind.result:
            raise TypeError(f"Expected `{kind.result.__name__}`, got `{type(value).__name__}`")
        # A time without a zone is one of the field's.
        is_local = isinstance(value, dt.datetime) and not value.tzinfo
        return kind.convert(value.isoformat()) if is_local else value
    return kind.convert(value)


def _number(text: str) -> Decimal:
    """Return a number of JSON with all its digits."""
    try:
        return Decimal(text)
    except DecimalException:  # an exponent of twenty digits
        raise ValueError("Number out of range") from None


def constant_of(field: pa.Field) -> Any:
    """Return the value that a field has in every click.

    Raises:
        msgspec.ValidationError: if the constant is no value of the field's type.
    """
    reading = reading_of(field)
    kind = _value(field.type, reading.of_value, _How(is_quick=False))
    return msgspec.json.Decoder(kind, dec_hook=_ask, float_hook=digits).decode(msgspec.json.encode(reading.constant))


def constant_problems(fields: Iterable[pa.Field], single: Collection[str]) -> list[str]:
    """Find constants that are no values of their fields, or stand in fields that tell clicks apart.

    Args:
        fields: those of a click, of types that a click may have.
        single: names of the fields that must differ from click to click.
    """
    problems = []
    for field in fields:
        if reading_of(field).constant is None:
            continue
        if field.name in single:
            problems.append(f"click.from.{field.name}: a constant cannot tell clicks apart")
        try:
            constant_of(field)
        except msgspec.ValidationError as error:
            problems.append(f"click.from.{field.name}: the constant is no value of the field: {error}")
    return problems
