"""Numbers, texts and booleans that come as something else: read field by field where that is allowed, never guessed.

A number in a text is one as JSON writes it, in ASCII and without spaces; never Python's own syntax.
"""

import re
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from functools import partial
from typing import Any

import pyarrow as pa

from clickscore.scoring.times import Read, json_type, shown

WHOLE = {pa.int8(): 8, pa.int16(): 16, pa.int32(): 32, pa.int64(): 64}
"""Types of whole numbers, with their bits."""
MAX_FLOAT32 = 3.4028235677973362e38
"""The largest number that a FLOAT rounds to one of its own, 3.4028235e38 as JSON usually writes it."""
MAX_FLOAT64 = 1.7976931348623157e308
"""The largest number that a DOUBLE holds; beyond it, Avro and Protobuf have infinity, which is no number of a click."""
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_MAX_WHOLE_DIGITS = 19
"""Digits of the largest BIGINT; to write out a number of a billion digits would take all memory."""
_MOST_UNSCALED_BYTES = 32
"""Of a decimal in Avro and Protobuf: more than 38 digits fit into no column, and ten minutes go by for a megabyte."""
_EXACT = Context(prec=80)
"""Holds all digits of so many bytes; the usual context rounds to 28 of them."""


class Digits(Decimal):
    """A number of JSON with all its digits, and as the record writes it."""

    text: str


def digits(number: str) -> Digits:
    """Return a number of JSON with all its digits.

    Raises:
        ValueError: for an exponent of twenty digits.
    """
    try:
        found = Digits(number)
    except DecimalException:
        raise ValueError("Number out of range") from None
    found.text = number
    return found


def scaled(unscaled: bytes, scale: int) -> Decimal | bytes:
    """Return a decimal of Avro or Protobuf with all its digits; the bytes themselves where no column holds so many.

    Args:
        unscaled: a whole number, the highest byte first, negative as its two's complement.
        scale: how many of its digits stand behind the point.
    """
    if len(unscaled) > _MOST_UNSCALED_BYTES:
        return unscaled
    try:
        return _EXACT.scaleb(Decimal(int.from_bytes(unscaled, "big", signed=True)), -scale)
    except DecimalException:  # a scale of a billion
        return unscaled


def decimal_reader(kind: pa.DataType, name: str, is_lenient: bool) -> Read:
    """Return what reads the decimals of a column, exactly: ``Decimal`` from a number, or also from a text."""
    return partial(_decimal, kind.precision, kind.scale, name, is_lenient)


def lenient_reader(kind: pa.DataType, name: str) -> Read:
    """Return what reads the values of a column also from other types of JSON.

    Args:
        kind: STRING from numbers and booleans, BOOLEAN from ``"true"``, ``"1"`` and 1, numbers from texts.
        name: of the type, for messages.
    """
    if pa.types.is_string(kind):
        return partial(_text, name)
    if pa.types.is_boolean(kind):
        return partial(_boolean, name)
    if kind in WHOLE:
        return partial(_whole, WHOLE[kind], name)
    return partial(_float, MAX_FLOAT32 if pa.types.is_float32(kind) else MAX_FLOAT64, name)


def _decimal(precision: int, scale: int, name: str, is_lenient: bool, value: object) -> Decimal:
    # Arrow must not get another one to convert: 1e-999999999 would end the process.
    if is_lenient:
        value = _number(name, value)
    elif not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise _wrong(name, value)
    exactly = Context(prec=precision, traps=[Inexact, InvalidOperation])
    try:
        return Decimal(value).quantize(Decimal((0, (1,), -scale)), context=exactly)
    except DecimalException:
        raise ValueError(f"Expected `{name}`, found a number with more digits") from None


def _whole(bits: int, name: str, value: object) -> int:
    number = _number(name, value)
    if isinstance(number, Decimal):
        if number and number.adjusted() > _MAX_WHOLE_DIGITS:
            raise ValueError(f"Expected `{name}` of {bits} bits, found a larger number")
        if number != number.to_integral_value():
            raise ValueError(f"Expected `{name}`, found a number with a fraction")
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError(f"Expected `{name}` of {bits} bits, found a larger number")
    return int(number)


def _float(limit: float, name: str, value: object) -> float:
    number = _number(name, value)
    try:
        found = float(number)
    except OverflowError:
        found = float("inf")
    if not -limit <= found <= limit:
        raise ValueError(f"Expected `{name}`, found a number out of range")
    return found


def _number(name: str, value: object) -> int | Decimal:
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError(f"Expected `{name}`, found the text {shown(value)}")
        return digits(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value
    raise _wrong(name, value)


def _boolean(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise _wrong(name, value) if value is None else ValueError(f"Expected `{name}`, found {shown(str(value))}")


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Digits):
        return value.text
    if isinstance(value, int):
        return str(value)
    raise _wrong(name, value)


def _wrong(name: str, value: object) -> TypeError:
    return TypeError(f"Expected `{name}`, got `{json_type(value)}`")
