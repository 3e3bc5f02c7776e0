"""One record, one outcome: JSON bytes become the values of a click, or a reason why they cannot.

A typed decoder checks every field in one pass and says exactly what was wrong. In Spark's Python workers it costs no
more than ``from_json`` in the JVM, which cannot name the field, nor see a key that is there twice: 9.5 against 9.9
CPU-seconds per million clicks of 21 fields, 0.5% of them malformed.
"""

import codecs
import datetime as dt
import re
from abc import ABCMeta
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation
from types import GenericAlias
from typing import Annotated, Any, NamedTuple, Required, TypedDict

import msgspec
import pyarrow as pa

from clickscore.reasons import (
    EMPTY,
    INVALID_ENCODING,
    INVALID_TIME,
    MALFORMED,
    MISSING_FIELD,
    NOT_AN_OBJECT,
    WRONG_TYPE,
)

MAX_RECORD_BYTES = 1024 * 1024
"""A click is some hundred bytes; a record above 1 MiB is none, and parsing it would cost the others their latency."""
MAX_DETAIL_CHARS = 300


# An epoch number below the first bound counts seconds, below the second milliseconds, else microseconds: no time
# between the years 1973 and 5138 is ambiguous.
_SECONDS_BELOW, _MILLISECONDS_BELOW = 10**11, 10**14
FIRST_TIME_US, LAST_TIME_US = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999 in UTC, in microseconds since 1970: beyond them Python and many readers know no time."""
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)

_WHOLE = {pa.int8(): 8, pa.int16(): 16, pa.int32(): 32, pa.int64(): 64}
_MAX_FLOAT32 = 3.4028235677973362e38
"""The largest number that a FLOAT rounds to one of its own, 3.4028235e38 as JSON usually writes it."""
_PLAIN: dict[pa.DataType, Any] = {
    pa.string(): str,
    pa.bool_(): bool,
    pa.float64(): float,
    pa.float32(): Annotated[float, msgspec.Meta(ge=-_MAX_FLOAT32, le=_MAX_FLOAT32)],
    pa.timestamp("us", tz="UTC"): dt.datetime,
    pa.date32(): dt.date,
}

_TYPED_DICT: Any = TypedDict
"""Untyped, as its fields are known only when the schema has been read."""

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What ``Decoder.decode_good`` raises for a record that is not a valid click."""
_AT = re.compile(r" - at `\$\.?(.*)`$", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*?)`(?: - at `|$)", re.DOTALL)
_NO_TIME = "Invalid RFC3339"
"""How the decoder begins what it says of a text that is no time, at any depth."""


class Rejection(NamedTuple):
    """Why a record is not a valid click."""

    reason: str
    detail: str


class Decoder:
    """Decodes the records of one click schema; built in each process, as it cannot be pickled.

    Strings, numbers and booleans must have exactly their JSON type, and whole numbers and decimals must fit. A time is
    ISO 8601 text, without a zone in UTC, or a whole number of seconds, milliseconds or microseconds since 1970. A field
    that is NOT NULL must be there and not be null. Fields beyond the schema are ignored.

    Attributes:
        decode_good: decodes a record, or raises one of ``UNDECODABLE``; for loops that have no time for Python.
        blank: a decoded click with nothing in it, to stand in the place of a rejected record.
    """

    def __init__(self, click: pa.Schema) -> None:
        """Compile the schema: the fields of a click, of which those that are not nullable are required."""
        struct = _struct(click)
        self.decode_good = msgspec.json.Decoder(struct, dec_hook=_decimal, float_hook=_digits).decode
        self.blank = struct(**dict.fromkeys(struct.__struct_fields__))
        self._types = {field.name: field.type for field in click}
        self._decode_any = msgspec.json.Decoder(msgspec.Raw).decode

    def decode(self, record: bytes) -> Any:
        """Decode a record.

        Returns:
            An object with the attributes ``f0``, ``f1``, ... in the order of the schema, ``None`` for what is absent;
            or a ``Rejection`` for anything that is not a valid click.
        """
        try:
            return self.decode_good(record)
        except UNDECODABLE as error:
            if not record.startswith(codecs.BOM_UTF8):
                return self._explain(record, error)
        # A byte order mark at the start of a file belongs to the file, not to its first record. A second one does not.
        bare = record.removeprefix(codecs.BOM_UTF8)
        try:
            return self.decode_good(bare)
        except UNDECODABLE as error:
            return self._explain(bare, error)

    def _explain(self, record: bytes, error: Exception) -> Rejection:
        if not record.strip():
            return Rejection(EMPTY, "expected a JSON object, found nothing")
        if isinstance(error, msgspec.ValidationError):
            # The decoder stops at the first wrong type, and has not seen whether what follows is JSON at all.
            try:
                self._decode_any(record)
            except UNDECODABLE as fault:
                error = fault
            else:
                reason, detail = self._classify(str(error))
                return Rejection(reason, cut(detail))
        return Rejection(MALFORMED, "nested too deeply" if isinstance(error, RecursionError) else cut(str(error)))

    def _classify(self, message: str) -> tuple[str, str]:
        at = _AT.search(message)
        missing = _MISSING.match(message)
        path = at[1] if at else ""
        if missing:
            return MISSING_FIELD, f"{path}.{missing[1]} is missing" if path else f"{missing[1]} is missing"
        if not path:
            return NOT_AN_OBJECT, message
        if "got `null`" in message:
            return MISSING_FIELD, f"{path} is null"
        is_time = message.startswith(_NO_TIME) or pa.types.is_timestamp(self._types.get(path, pa.null()))
        if is_time and "got `" not in message:
            return INVALID_TIME, message
        return WRONG_TYPE, message


def encoding_fault(record: bytes) -> Rejection | None:
    """Tell where a record is no UTF-8, or return None for one that is."""
    try:
        record.decode()
    except UnicodeDecodeError as error:
        return Rejection(INVALID_ENCODING, f"expected UTF-8, found {error.reason} at byte {error.start}")
    return None


def cut(detail: str) -> str:
    """Keep a detail short enough for a table cell."""
    return detail if len(detail) <= MAX_DETAIL_CHARS else detail[: MAX_DETAIL_CHARS - 1] + "…"


def since_epoch(time: dt.datetime | int | None) -> dt.timedelta | None:
    """Return how long after the start of 1970 in UTC a time is, whichever way a record writes it."""
    if time is None:
        return None
    if isinstance(time, int):
        per_second = 1 if time < _SECONDS_BELOW else 1_000 if time < _MILLISECONDS_BELOW else 1_000_000
        return dt.timedelta(microseconds=time * (1_000_000 // per_second))
    return (time if time.tzinfo else time.replace(tzinfo=dt.timezone.utc)) - EPOCH


def _struct(click: pa.Schema) -> Any:
    # Generated attribute names, because a field may be called `class` or `page-url`.
    fields: list[Any] = []
    for number, field in enumerate(click):
        value = _value(field.type)
        if pa.types.is_timestamp(field.type):
            value |= Annotated[int, msgspec.Meta(ge=0, le=LAST_TIME_US)]
        if field.nullable:
            fields.append((f"f{number}", value | None, msgspec.field(name=field.name, default=None)))
        else:
            fields.append((f"f{number}", value, msgspec.field(name=field.name)))
    # Records hold no cycles: without them the garbage collector has nothing to walk. Only keywords let a required field
    # follow an optional one.
    return msgspec.defstruct("Click", fields, gc=False, kw_only=True)


def _value(kind: pa.DataType) -> Any:
    if pa.types.is_list(kind):
        return GenericAlias(list, (_value(kind.value_type) | None,))
    if pa.types.is_map(kind):
        return GenericAlias(dict, (str, _value(kind.item_type) | None))
    if pa.types.is_struct(kind):
        return _TYPED_DICT("Nested", {field.name: _entry(field) for field in kind}, total=False)
    if pa.types.is_decimal(kind):
        # A type of its own for each, which the decoder asks the hook about: of its own accord it would take texts, too.
        exact = ABCMeta(f"decimal({kind.precision},{kind.scale})", (), {"digits": kind.precision, "scale": kind.scale})
        exact.register(Decimal)
        return exact
    if kind in _WHOLE:
        half = 2 ** (_WHOLE[kind] - 1)
        return Annotated[int, msgspec.Meta(ge=-half, le=half - 1)]
    return _PLAIN[kind]


def _digits(number: str) -> Decimal:
    """Return a number of JSON with all its digits."""
    try:
        return Decimal(number)
    except DecimalException:  # an exponent of twenty digits
        raise ValueError("Number out of range") from None


def _decimal(kind: Any, value: object) -> Decimal:
    """Return a number as a decimal of a column, exactly.

    Arrow must not get another one to convert: 1e-999999999 would end the process.

    Raises:
        TypeError: if it is no number.
        ValueError: if the column has not enough digits for it.
    """
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise TypeError(f"Expected `{kind.__name__}`, got `{type(value).__name__}`")
    exactly = Context(prec=kind.digits, traps=[Inexact, InvalidOperation])
    try:
        return Decimal(value).quantize(Decimal((0, (1,), -kind.scale)), context=exactly)
    except DecimalException:
        raise ValueError(f"Expected `{kind.__name__}`, found a number with more digits") from None


def _entry(field: pa.Field) -> Any:
    value = _value(field.type)
    return value | None if field.nullable else Required[value]
