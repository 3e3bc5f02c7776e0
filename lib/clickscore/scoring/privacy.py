"""Privacy: what may leave the scorer of a click, after its features are computed and before anything is written.

A protection does three things: it applies the rules to the fields of a click; it leaves out of each detail what quotes
a record; and it writes what may be kept of a record that could not be decoded.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from clickscore.config.secrets import resolve
from clickscore.errors import ConfigError
from clickscore.reasons import (
    DUPLICATE_KEY,
    EMPTY,
    INVALID_ENCODING,
    INVALID_TIME,
    MALFORMED,
    NOT_AN_OBJECT,
    TOMBSTONE,
    TOO_LARGE,
    WRONG_TYPE,
)
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.isolation import CrashError, PredictRows
from clickscore.scoring.outputs import Floats
from clickscore.scoring.parsing import Parser
from clickscore.scoring.privacy_rules import DROP, HASH, Rule, applied, type_under
from clickscore.scoring.reading import place_of
from clickscore.scoring.times import NO_TIME

if TYPE_CHECKING:  # a program that embeds the scorer has no pydantic
    from clickscore.config.erasure import Erasure
    from clickscore.config.privacy import Privacy

MASKED = "masked"
"""The rule for rejected records under which the fields that can be read are kept."""
LEAST_KEY_BYTES = 32
"""Length of a key for HMAC-SHA-256: a shorter one is easier to find than its output, see RFC 2104, section 3."""

_KEY_ID_OF, _KEY_ID_DIGITS = b"clickscore key id", 16

_PLACE = re.compile(r" - at `(?:key` in `)?\$[^`]*`$")
_SAFE = re.compile(
    r"Expected `[^`]*`(?: [<>]=? -?\d+)?(?:, got `[^`]*`)?(?: - at `(?:key` in `)?\$[^`]*`)?"
    r"|[^'\"]*: expected a time in the years 1 to 9999 of UTC"
)
"""A message of the decoder that names types and places only."""
_QUOTING = (NOT_AN_OBJECT, WRONG_TYPE, INVALID_TIME)
"""Reasons whose detail may quote a value."""
_UNREADABLE = (TOMBSTONE, EMPTY, TOO_LARGE, INVALID_ENCODING, NOT_AN_OBJECT)
"""Reasons of records that have no field."""
_WITHHELD = "its words are not kept, as a feature reads a field that privacy protects"

_to_json = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True)
class Protection:
    """What may be kept of a click, and of a record that is rejected; a plain value, which travels to the workers.

    Attributes:
        rules: field of the click to what becomes of it.
        raw: what is kept of a rejected record: ``keep``, ``masked`` or ``drop``.
        key: of the hashes; it is in no text that this class writes.
    """

    rules: Mapping[str, Rule]
    raw: str = MASKED
    key: bytes = field(default=b"", repr=False)

    @property
    def described(self) -> dict[str, str]:
        """The rules in words, by the name of the field, and as ``privacy.raw`` what is kept of a rejected record."""
        return {**{name: str(rule) for name, rule in sorted(self.rules.items())}, "privacy.raw": self.raw}

    @property
    def key_id(self) -> str | None:
        """What tells keys apart and says nothing about them; None where nothing is hashed."""
        if all(rule.action != HASH for rule in self.rules.values()):
            return None
        return id_of_key(self.key)

    def stored(self, click: pa.Schema) -> pa.Schema:
        """Return the fields of a click that may be kept; the comment of each says what has become of it."""
        return pa.schema([self._stored(field) for field in click if not self._drops(field.name)])

    def columns(self, clicks: pa.StructArray) -> list[pa.Array]:
        """Return the fields of clicks that may be kept, in the order and with the types of ``stored``."""
        fields = zip(clicks.type.names, clicks.flatten(), strict=True)
        return [self.column(name, values) for name, values in fields if not self._drops(name)]

    def column(self, name: str, values: pa.Array) -> pa.Array:
        """Return the values of a field, any but one that is dropped, as they may be kept."""
        return applied(self.rules[name], values, self.key) if name in self.rules else values

    def hides(self, reads: Iterable[str]) -> bool:
        """Tell whether features that read some fields, and a model that gets them, know what is protected."""
        return not self.rules.keys().isdisjoint(reads)

    def records(self, records: pa.BinaryArray, click: pa.Schema, id: str) -> list[str | None]:
        """Return what ``raw: masked`` keeps of records: JSON with the fields that can be read, each on its own.

        Nothing else of the record is in it: no field beyond the schema, and no value of another type. A record of which
        no field can be read becomes None, and so does one that is not JSON.

        Args:
            records: raw records that are no clicks.
            click: the fields of a click.
            id: the field that tells clicks apart; where it can be read, it is kept.
        """
        found = _readable(records, click, id)
        kept = pa.StructArray.from_arrays(self.columns(found), self.stored(click).names)
        rows = kept.to_pylist(maps_as_pydicts="lossy")
        return [_as_json({name: value for name, value in row.items() if value is not None}) for row in rows]

    def _drops(self, name: str) -> bool:
        return name in self.rules and self.rules[name].action == DROP

    def _stored(self, field: pa.Field) -> pa.Field:
        if field.name not in self.rules:
            return field
        rule = self.rules[field.name]
        comment = (field.metadata or {}).get(b"comment", b"").decode()
        told = f"{comment} (privacy: {rule})".strip()
        return pa.field(field.name, type_under(rule, field.type), field.nullable, {"comment": told})


def protection_of(privacy: "Privacy") -> Protection:
    """Return the protection that a configuration asks for, with its key.

    Raises:
        ConfigError: if there is no such key, or it is too short.
    """
    key = read_key(privacy.key, "privacy.key") if privacy.key else b""
    rules = {
        name: Rule(rule.action, rule.names, *([] if rule.step is None else [rule.step]))
        for name, rule in privacy.fields.items()
    }
    return Protection(rules, privacy.raw, key)


def read_ledger_key(erasure: "Erasure | None", privacy: "Privacy | None") -> bytes | None:
    """Return the key under which the ledger knows visitors: that of the erasures, else that of privacy, if any.

    Raises:
        ConfigError: if there is no such key, or it is too short.
    """
    if erasure:
        return read_key(erasure.key, "erasure.key")
    return read_key(privacy.key, "privacy.key") if privacy and privacy.key else None


def read_key(reference: str, where: str) -> bytes:
    """Return the key of hashes that a reference stands for.

    Args:
        reference: to the secret.
        where: key of the configuration, for the message.

    Raises:
        ConfigError: if there is no such key, or it is too short.
    """
    key = resolve(reference, where).encode()
    if len(key) < LEAST_KEY_BYTES:
        wanted = f"expected a key of at least {LEAST_KEY_BYTES} bytes, found {len(key)}"
        raise ConfigError(where, [f"{wanted}; make one with: openssl rand -hex 32"])
    return key


def id_of_key(key: bytes) -> str:
    """Return what tells keys apart and says nothing about them."""
    return hmac.digest(key, _KEY_ID_OF, "sha256").hex()[:_KEY_ID_DIGITS]


def without_values(rejection: Rejection, click: pa.Schema) -> Rejection:
    """Return why a record could not be decoded, without what the detail quotes of it.

    Args:
        rejection: from the parser.
        click: the fields of a click.
    """
    reason, detail = rejection
    if reason == DUPLICATE_KEY:  # a key of a MAP is a value of the record
        return Rejection(reason, "expected each key once")
    if reason not in _QUOTING or _SAFE.fullmatch(detail):
        return rejection
    wanted = NO_TIME if detail.startswith(NO_TIME) else "Expected a value that fits the type"
    place = _PLACE.search(detail)  # a value that is quoted has none of the marks around it
    begins = [f"{place_of(field)}: " for field in click if detail.startswith(f"{place_of(field)}: ")]
    begin, end = max(begins, key=len, default=""), place[0] if place else ""
    return Rejection(reason, f"{begin}{wanted}; what was found is not kept{end}")


def withheld(error: BaseException | str) -> str:
    """Return what a detail says of an error whose words may hold a protected value."""
    kind = error if isinstance(error, str) else type(error).__name__
    return f"{kind}: {_WITHHELD}"


def quiet(predict: PredictRows) -> PredictRows:
    """Return the same predictions; of what they raise, only the type is told."""
    return partial(_predict_quietly, predict)


def _predict_quietly(predict: PredictRows, low: int, high: int) -> Floats:
    try:
        return predict(low, high)
    except Exception as error:  # a model may raise anything, and its words may quote what must not be kept
        raise CrashError(withheld(error)) from None


def _as_json(values: Mapping[str, Any]) -> str | None:
    return _to_json(values).decode() if values else None


def _readable(records: pa.BinaryArray, click: pa.Schema, id: str) -> pa.StructArray:
    """Return the fields of records that can be read: each field alone, which is slow, only where not all can."""
    together, alone = _parsers(click.serialize().to_pybytes())
    clicks, rejections = together.parse(records)
    suspects = [row for row, why in rejections.items() if why.reason not in _UNREADABLE]
    ids = alone[id].parse(records.take(pa.array(suspects, pa.int64()))).clicks.field(0)
    rows = [row for row, each in zip(suspects, ids.is_valid().to_pylist(), strict=True)
            if each or rejections[row].reason != MALFORMED]  # fmt: skip
    places = np.arange(len(records))
    places[rows] = len(records) + np.arange(len(rows))
    some = records.take(pa.array(rows, pa.int64()))
    columns = [
        pa.concat_arrays([column, alone[field.name].parse(some).clicks.field(0)]).take(pa.array(places))
        for field, column in zip(click, clicks.flatten(), strict=True)
    ]
    return pa.StructArray.from_arrays(columns, click.names)


@lru_cache(maxsize=2)
def _parsers(click: bytes) -> tuple[Parser, dict[str, Parser]]:
    """Return a parser of all fields of a click, and one for each; none is required. Each process makes them once."""
    fields = [field.with_nullable(True) for field in pa.ipc.read_schema(pa.py_buffer(click))]
    return Parser(pa.schema(fields)), {field.name: Parser(pa.schema([field])) for field in fields}
