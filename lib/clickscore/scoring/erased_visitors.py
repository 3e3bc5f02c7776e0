"""Erased visitors: the ledger of erasures knows them by a keyed hash alone, and records are told to be theirs by it."""

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from clickscore.errors import ConfigError
from clickscore.reasons import ERASED_VISITOR
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.parsing import parser
from clickscore.scoring.privacy_rules import hashed

DETAIL = "its visitor was erased, and erasure.later is refuse"


def check_visitor(click: pa.Schema, visitor: str) -> None:
    """Make sure that each visitor has one spelling, in a record and a request as in the tables.

    Raises:
        ConfigError: if not, as for a DOUBLE, of which 541312140.0 and 5.4131214E8 are the same.
    """
    kind = click.field(visitor).type
    if not (pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_date(kind)):
        problem = (
            f"{visitor}: expected a STRING, a whole number or a DATE, found {kind}, whose values have several "
            f"spellings: an erasure would not find all of a visitor. Change its type, or leave out erasure"
        )
        raise ConfigError("click.visitor", [problem])


@dataclass(frozen=True)
class ErasedVisitors:
    """The visitors that a ledger of erasures knows; a plain value, which travels to the workers.

    Attributes:
        visitor: the field of a click that tells visitors apart, which may be null, with the way in which it is read.
        key: of the hashes; it is in no text that this class writes.
        hashes: of the visitors.
    """

    visitor: pa.Schema
    key: bytes = field(repr=False)
    hashes: frozenset[str] = field(repr=False)

    @classmethod
    def of(cls, click: pa.Schema, visitor: str, key: bytes, hashes: frozenset[str]) -> "ErasedVisitors":
        """Return the visitors of clicks of which one field, ``visitor``, tells them apart."""
        return cls(pa.schema([click.field(visitor).with_nullable(True)], click.metadata), key, hashes)

    def are_of(self, records: pa.BinaryArray) -> pa.BooleanArray:
        """Tell of each record whether it is of one of them; null where its visitor cannot be read."""
        return self.are_among(parser(self.visitor).parse(records).clicks.field(0))

    def are_among(self, visitors: pa.Array) -> pa.BooleanArray:
        """Tell of each visitor whether it is one of them; null of null."""
        encoded = visitors.dictionary_encode()  # visitors come again and again
        known = [hashed(visitor, self.key) in self.hashes for visitor in encoded.dictionary.to_pylist()]
        return pa.array(known, pa.bool_()).take(encoded.indices)

    def refused(
        self, records: pa.BinaryArray, visitors: pa.Array, undecoded: Collection[int]
    ) -> dict[int, Rejection]:  # fmt: skip
        """Return the records that are of one of them, with why they are refused.

        Args:
            records: raw records.
            visitors: theirs, null for those that could not be decoded.
            undecoded: the numbers of those; their visitor alone may be readable.
        """
        rows = list(undecoded)
        found = [rows[place] for place in _where(self.are_of(records.take(pa.array(rows, pa.int64()))))] if rows else []
        return dict.fromkeys([*_where(self.are_among(visitors)), *found], Rejection(ERASED_VISITOR, DETAIL))


def _where(condition: pa.BooleanArray) -> list[int]:
    return list(np.flatnonzero(condition.fill_null(False).to_numpy(zero_copy_only=False)).tolist())
