"""The ids that were seen within the window: hashes in slices of time, as the state of a stream.

Spark hands a value of the state to Python as a pickled text, which takes several passes over each byte. So a worker
keeps the slices that it has read or written, and reads those that other workers have written since; a new worker reads
all of them.
"""

import os
import struct
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql.streaming.stateful_processor import StatefulProcessor, StatefulProcessorHandle
from typing_extensions import override

from clickscore.stream.packed_records import IS_DUPLICATE, RECORDS
from clickscore.stream.worker_memory import spare_imports

Hashes = npt.NDArray[np.uint64]
"""One row per id with its two hashes; zeros for a record without an id, which is nobody's duplicate."""

SLICES = 16
"""Slices of a window: ids are forgotten at most a slice after the window, and a micro-batch rewrites one slice."""

INDEX = -1
"""In the place of a begin, the key of the index: the begin and the version of each slice.

A release that knows no index takes it for a slice that has expired, and removes it.
"""
VERSION_BYTES = 16
"""Of the random version of a slice: no two are equal, whoever wrote them."""
_ENTRY = struct.Struct(f"<q{VERSION_BYTES}s")
MOST_HELD_BYTES = 128 * 1024 * 1024
"""Of slices that a worker keeps, which is 8 million ids; what is beyond is read anew for each micro-batch.

Those that came first stay: each micro-batch reads all slices in the same order, where the one that was not used for the
longest time is the one that is needed next.
"""


class _Slice(NamedTuple):
    version: bytes
    hashes: Hashes


_held: dict[tuple[int, int], _Slice] = {}
"""Slices that this worker has read or written, by bucket and begin.

A slice counts only while it has the version that the state says. So no mark depends on another stream of the session,
which has slices of the same bucket and begin, nor on a micro-batch that failed after it had written one.
"""


class SeenIds(StatefulProcessor):
    """Remembers the ids of a bucket, in slices of time: begin of a slice to the hashes of the ids first seen in it."""

    def __init__(self, window_ms: int) -> None:
        """Keep the length of the window in milliseconds."""
        self._window_ms, self._slice_ms = window_ms, -(-window_ms // SLICES)

    @override
    def init(self, handle: StatefulProcessorHandle) -> None:
        """Open the state."""
        self._slices = handle.getMapState("slices", "begin BIGINT", "hashes BINARY")

    @override
    def handleInputRows(self, key: Any, rows: Iterator[pd.DataFrame], timerValues: Any) -> Iterator[pd.DataFrame]:
        """Mark the ids that are in the state, or were further ahead in this micro-batch; remember the others."""
        packed = pd.concat(list(rows))
        bucket, now = int(key[0]), int(packed["now"].iloc[0])
        current = now - now % self._slice_ms
        written = self._index()
        before = self._unindexed() if written is None else written
        index = {begin: version for begin, version in before.items() if begin + self._slice_ms + self._window_ms > now}
        for begin in before.keys() - index.keys():
            self._slices.removeKey((begin,))
        _let_go(bucket, index)
        seen = {begin: self._read(bucket, begin, version) for begin, version in index.items()}
        marked, fresh = mark(packed, list(seen.values()))
        if len(fresh):
            known = in_order(np.concatenate([seen[current], fresh]) if current in seen else fresh)
            self._slices.updateValue((current,), (known.tobytes(),))
            index[current] = os.urandom(VERSION_BYTES)
            _hold(bucket, current, index[current], known)
        if index != written:
            self._slices.updateValue((INDEX,), (b"".join(_ENTRY.pack(*entry) for entry in index.items()),))
        yield marked

    @override
    def close(self) -> None:
        """Leave what was imported out of later collections; what is held stays for the next task."""
        spare_imports("seen ids")

    def _index(self) -> dict[int, bytes] | None:
        """Return the begins of the slices in the state, with their versions; None if there is no index."""
        found = self._slices.getValue((INDEX,))
        return dict(_ENTRY.iter_unpack(found[0])) if found else None

    def _unindexed(self) -> dict[int, bytes]:
        """Give a version to each slice that a release without an index has written."""
        return {begin: os.urandom(VERSION_BYTES) for (begin,) in list(self._slices.keys())}

    def _read(self, bucket: int, begin: int, version: bytes) -> Hashes:
        held = _held.get((bucket, begin))
        if held and held.version == version:
            return held.hashes
        (blob,) = cast(tuple[bytes], self._slices.getValue((begin,)))
        _hold(bucket, begin, version, hashes := as_hashes(blob))
        return hashes


def _hold(bucket: int, begin: int, version: bytes, hashes: Hashes) -> None:
    """Keep a slice, if there is room, in the place of its former version."""
    _held.pop((bucket, begin), None)
    if sum(each.hashes.nbytes for each in _held.values()) + hashes.nbytes <= MOST_HELD_BYTES:
        _held[bucket, begin] = _Slice(version, hashes)


def _let_go(bucket: int, begins: Collection[int]) -> None:
    """Keep no slices of a bucket that have left its state."""
    for place in [place for place in _held if place[0] == bucket and place[1] not in begins]:
        del _held[place]


def mark(packed: pd.DataFrame, seen: list[Hashes]) -> tuple[pd.DataFrame, Hashes]:
    """Mark the duplicates among the packed records of a bucket.

    Args:
        packed: the bucket, ``deduplication.BUCKET``, in any order.
        seen: the hashes of ids seen before, each array in ascending order of its first column.

    Returns:
        ``packed_records.PACKED``, and the hashes of ids that were not seen before.
    """
    # A replay must choose the same copy, but a shuffle brings rows in any order.
    packed = packed.sort_values(["first", "hashes"])
    parts = [as_hashes(hashes) for hashes in packed["hashes"]]
    hashes = np.concatenate(parts)
    is_new = first_sightings(hashes, seen)
    marks = np.split(~is_new & hashes.any(axis=1), np.cumsum([len(part) for part in parts])[:-1])
    marked = pd.DataFrame({RECORDS: packed[RECORDS].tolist(), IS_DUPLICATE: [part.tobytes() for part in marks]})
    return marked, hashes[is_new]


def first_sightings(hashes: Hashes, seen: list[Hashes]) -> npt.NDArray[np.bool_]:
    """Tell for each id whether it is the first of its kind here and in none of the arrays of ids seen before.

    Args:
        hashes: of the ids.
        seen: each in ascending order of its first column.
    """
    order = np.lexsort((hashes[:, 1], hashes[:, 0]))
    ascending = hashes[order]
    is_new: npt.NDArray[np.bool_] = np.any(ascending != 0, axis=1)
    is_new[1:] &= (ascending[1:] != ascending[:-1]).any(axis=1)
    for before in seen:
        if len(before):
            at = np.minimum(np.searchsorted(before[:, 0], ascending[:, 0]), len(before) - 1)
            is_new &= (before[at] != ascending).any(axis=1)
    result = np.empty(len(hashes), bool)
    result[order] = is_new
    return result


def as_hashes(blob: bytes) -> Hashes:
    """Return the hashes that were written as bytes."""
    return np.frombuffer(blob, np.uint64).reshape(-1, 2)


def in_order(hashes: Hashes) -> Hashes:
    """Return the hashes in ascending order of their first column."""
    return hashes[np.argsort(hashes[:, 0], kind="stable")]
