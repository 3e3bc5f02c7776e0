"""The bytes in front of a record that name its schema, as Confluent's serializers write them."""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from clickscore.reasons import MALFORMED_PROTOBUF
from clickscore.scoring.wire import UndecodableError

MAGIC = 0
"""The first byte of a record that names its schema; then come the four bytes of the id, the highest first."""
HEADER_BYTES = 5
FIRST_MESSAGE = b"\0"
"""Stands, in a record of Protobuf, for the number of the first message of its schema."""
UNKNOWN_FOR_S = 60.0
"""How long an unknown id is not asked for again: a registry that copies another may be late, rubbish may come often."""
MOST_UNKNOWN = 10_000
"""Unknown ids that are remembered: random bytes hold any number of them."""

Reader = TypeVar("Reader")


class BySchema(Generic[Reader]):
    """What reads the records of each schema, by the five bytes that a record begins with; made once for each."""

    def __init__(self, malformed: str, make: Callable[[int], Reader]) -> None:
        """Know how to make one.

        Args:
            malformed: reason of a record that does not begin with an id.
            make: makes what reads the records of a schema, by its id; raises UndecodableError.
        """
        self._malformed, self._make = malformed, make
        self._readers: dict[bytes, Reader] = {}
        self._unknown: dict[bytes, tuple[float, str, str]] = {}

    def reader_of(self, record: bytes) -> Reader:
        """Return what reads a record.

        Raises:
            UndecodableError: if it names no schema, or one that cannot be had.
        """
        header = record[:HEADER_BYTES]
        reader = self._readers.get(header)
        return self._made(header) if reader is None else reader

    def _made(self, header: bytes) -> Reader:
        if len(header) < HEADER_BYTES or header[0] != MAGIC:
            detail = f"expected a zero and four bytes with the id of a schema first, found {header.hex(' ')}"
            raise UndecodableError(self._malformed, detail)
        until, reason, detail = self._unknown.get(header, (0.0, "", ""))
        if time.monotonic() < until:
            raise UndecodableError(reason, detail)
        try:
            self._readers[header] = reader = self._make(int.from_bytes(header[1:], "big"))
        except UndecodableError as error:
            if len(self._unknown) >= MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown[header] = (time.monotonic() + UNKNOWN_FOR_S, error.reason, error.detail)
            raise
        return reader


def message_indexes(record: bytes, start: int) -> tuple[tuple[int, ...], int]:
    """Return which message of a schema a record holds: its number, then those of messages within; and where it begins.

    Raises:
        UndecodableError: if there are no such numbers.
    """
    count, start = _varint(record, start)
    if not count:  # short for the first message
        return (0,), start
    if not 0 < count <= len(record) - start:
        raise UndecodableError(MALFORMED_PROTOBUF, f"expected the indexes of a message, found a count of {count}")
    indexes = []
    for _ in range(count):
        index, start = _varint(record, start)
        indexes.append(index)
    if min(indexes) < 0:  # which Python would count from the end
        raise UndecodableError(MALFORMED_PROTOBUF, f"expected the indexes of a message, found {indexes}")
    return tuple(indexes), start


def _varint(record: bytes, start: int) -> tuple[int, int]:
    found = shift = 0
    for position, byte in enumerate(record[start : start + 5], start + 1):
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (found >> 1) ^ -(found & 1), position
        shift += 7
    raise UndecodableError(MALFORMED_PROTOBUF, "expected the indexes of a message after the id of its schema")
