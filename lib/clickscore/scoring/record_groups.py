"""Records of Avro and Protobuf by the schema that they name: which of them are read many at once."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clickscore.scoring.record_cursor import Ints
from clickscore.scoring.wire import UndecodableError

LEAST_RECORDS = 64
"""Of one schema; for fewer, the calls of NumPy cost more than they save."""

ReadColumns = Callable[[npt.NDArray[np.uint8], Ints, Ints], tuple[list[pa.Array], npt.NDArray[np.bool_]] | None]
"""Turns bytes, and where each record begins and ends in them, into the columns of a click, and which records are left
out; None if all are."""


class Opener(Protocol):
    """What takes records apart one by one, and knows which can be read many at once.

    Attributes:
        start: at which byte the value begins, after the id of its schema.
    """

    start: int

    def column_reader(self, header: bytes, click: pa.Schema) -> ReadColumns | None:
        """Return what reads records that begin so; None if they are read one by one; raises UndecodableError."""


class RecordGroups:
    """Reads the records of each schema at once, as far as that can be."""

    def __init__(self, opener: Opener, click: pa.Schema) -> None:
        """Know the schemas and the fields of a click."""
        self._opener, self._click = opener, click
        self._readers: dict[bytes, ReadColumns | None] = {}

    def columns(self, records: pa.BinaryArray, most_bytes: int) -> Iterator[tuple[Ints, list[pa.Array]]]:
        """Yield the numbers of records that are clicks, and their columns; leave out all others.

        Args:
            records: the raw records.
            most_bytes: of a record.

        Raises:
            SourceUnavailableError: if the schema registry does not answer now.
        """
        if len(records) < LEAST_RECORDS:
            return
        _, offsets, content = records.buffers()
        size = np.int64 if pa.types.is_large_binary(records.type) else np.int32
        bounds = np.frombuffer(offsets, size)[records.offset : records.offset + len(records) + 1].astype(np.int64)
        data = np.frombuffer(content or b"", np.uint8)
        starts, ends = bounds[:-1], bounds[1:]
        is_candidate = (ends - starts > self._opener.start) & (ends - starts <= most_bytes)
        is_candidate &= records.is_valid().to_numpy(zero_copy_only=False)
        for header, rows in _by_header(data, starts, np.flatnonzero(is_candidate), self._opener.start):
            if len(rows) < LEAST_RECORDS or not (read := self._reader_of(header)):
                continue
            if found := read(data, starts[rows] + self._opener.start, ends[rows]):
                columns, is_bad = found
                good = pa.array(~is_bad)
                yield rows[~is_bad], columns if not is_bad.any() else [column.filter(good) for column in columns]

    def _reader_of(self, header: bytes) -> ReadColumns | None:
        if header not in self._readers:
            try:
                self._readers[header] = self._opener.column_reader(header, self._click)
            except UndecodableError:  # each of the records will have its reason
                return None
        return self._readers[header]


def _by_header(data: npt.NDArray[np.uint8], starts: Ints, rows: Ints, size: int) -> Iterator[tuple[bytes, Ints]]:
    """Yield the first bytes that records have in common, and which records these are."""
    if not size:
        yield b"", rows
        return
    headers = data[starts[rows, None] + np.arange(size)]
    found, group = np.unique(headers, axis=0, return_inverse=True)
    for number, header in enumerate(found):
        yield header.tobytes(), rows[group == number]
