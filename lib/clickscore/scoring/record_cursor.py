"""Values of Avro and Protobuf, read from the same place of many records at once."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_PAD = 16
"""Bytes after the last record that a number may reach into before its end is checked."""
_LONGEST_SHIFT = 63
"""Bits that nine bytes of a number hold; the tenth one has the last bit of the 64."""


class Texts(NamedTuple):
    """Where texts stand in the bytes.

    Attributes:
        starts: of each.
        lengths: in bytes.
    """

    starts: Ints
    lengths: Ints


class Cursor:
    """Where each record is read next; one that reaches beyond its end is bad, and stays there.

    Attributes:
        data: the bytes that the records stand in, and some more.
        at: where each is read next.
        ends: where each ends, or the part of it that is being read.
        is_bad: which of them cannot be read so.
    """

    def __init__(self, data: npt.NDArray[np.uint8], starts: Ints, ends: Ints) -> None:
        """Begin at the start of each record."""
        self.data = np.concatenate([data, np.zeros(_PAD, np.uint8)])
        self.at, self.ends, self.is_bad = starts.copy(), ends.copy(), np.zeros(len(starts), bool)

    def numbers(self, rows: Ints) -> npt.NDArray[np.uint64]:
        """Read 64 bits, seven in each byte and the lowest first, from each of some records."""
        at = self.at[rows]
        byte = self.data[at]
        at += 1
        value = (byte & 0x7F).astype(np.uint64)
        more, shift = np.flatnonzero(byte & 0x80), 7
        while len(more) and shift <= _LONGEST_SHIFT:
            byte = self.data[np.minimum(at[more], len(self.data) - 1)]
            value[more] |= (byte & 0x7F).astype(np.uint64) << np.uint64(shift)
            at[more] += 1
            if shift == _LONGEST_SHIFT:
                break
            more, shift = more[(byte & 0x80) > 0], shift + 7
        if len(more):
            self.is_bad[rows[more[byte > 1]]] = True
        self.move(rows, at)
        return value

    def longs(self, rows: Ints) -> Ints:
        """Read a number of 64 bits, with its sign in the lowest one, from each of some records."""
        value = self.numbers(rows)
        return (value >> np.uint64(1)).astype(np.int64) ^ -(value & np.uint64(1)).astype(np.int64)

    def fixed(self, rows: Ints, size: int, kind: str) -> Any:
        """Read a value of a fixed size from each of some records."""
        at = self.at[rows]
        values = self.data[at[:, None] + np.arange(size)].view(kind)[:, 0]
        self.move(rows, at + size)
        return values

    def texts(self, rows: Ints, lengths: Ints) -> Texts:
        """Pass a text of a known length in each of some records, and note where it stands."""
        self.is_bad[rows[lengths < 0]] = True
        starts = self.at[rows]
        self.move(rows, starts + np.clip(lengths, 0, len(self.data)))
        return Texts(starts, self.at[rows] - starts)

    def move(self, rows: Ints, at: Ints) -> None:
        """Go on elsewhere in some records."""
        ends = self.ends[rows]
        self.is_bad[rows[at > ends]] = True
        self.at[rows] = np.minimum(at, ends)
