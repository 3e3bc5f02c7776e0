"""Records of Avro by the schema that they name: which of them are read many at once."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from clickscore.scoring import avro_columns
from clickscore.scoring.avro import AvroOpener
from clickscore.scoring.avro_cursor import Ints
from clickscore.scoring.wire import UndecodableError

LEAST_RECORDS = 64
"""Of one schema; for fewer, the calls of NumPy cost more than they save."""


class AvroGroups:
    """Reads the records of each schema at once, as far as ``avro_columns`` can."""

    def __init__(self, opener: AvroOpener, click: pa.Schema) -> None:
        """Know the schemas and the fields of a click."""
        self._opener, self._click = opener, click
        self._is_read: dict[bytes, bool] = {}

    def columns(self, records: pa.BinaryArray, most_bytes: int) -> Iterator[tuple[Ints, list[pa.Array]]]:
        """Yield the numbers of records that are clicks, and their columns; leave out all others.

        Args:
            records: the raw records.
            most_bytes: of a record.

        Raises:
            SourceUnavailableError: if the schema registry does not answer now.
        """
        if len(records) < LEAST_RECORDS or self._opener.read_as is not None:
            return
        _, offsets, content = records.buffers()
        size = np.int64 if pa.types.is_large_binary(records.type) else np.int32
        bounds = np.frombuffer(offsets, size)[records.offset : records.offset + len(records) + 1].astype(np.int64)
        data = np.frombuffer(content or b"", np.uint8)
        starts, ends = bounds[:-1], bounds[1:]
        is_candidate = (ends - starts > self._opener.start) & (ends - starts <= most_bytes)
        is_candidate &= records.is_valid().to_numpy(zero_copy_only=False)
        for header, rows in _by_header(data, starts, np.flatnonzero(is_candidate), self._opener.start):
            if len(rows) < LEAST_RECORDS:
                continue
            try:
                schema = self._opener.schema_of(header)
            except UndecodableError:  # each of the records will have its reason
                continue
            if header not in self._is_read:
                self._is_read[header] = avro_columns.reads(*schema, self._click)
            if not self._is_read[header]:
                continue
            found = avro_columns.read_columns(*schema, self._click, data, starts[rows] + self._opener.start, ends[rows])
            if found:
                columns, is_bad = found
                good = pa.array(~is_bad)
                yield rows[~is_bad], columns if not is_bad.any() else [column.filter(good) for column in columns]


def _by_header(data: np.ndarray, starts: Ints, rows: Ints, size: int) -> Iterator[tuple[bytes, Ints]]:
    """Yield the first bytes that records have in common, and which records these are."""
    if not size:
        yield b"", rows
        return
    headers = data[starts[rows, None] + np.arange(size)]
    found, group = np.unique(headers, axis=0, return_inverse=True)
    for number, header in enumerate(found):
        yield header.tobytes(), rows[group == number]
