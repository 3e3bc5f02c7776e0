"""JSON-lines files that appear whole in a landing folder, at a set rate or as fast as possible."""

import gzip
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopsim import feed
from shopsim.records import Faults

GZIP_LEVEL = 1


def write_history(
    folder: Path, clicks: int, clicks_per_file: int, start_ms: int, days: float, seed: int, faults: Faults,
    gzipped: bool = False, shift: float = 0.0,
) -> Iterator[int]:  # fmt: skip
    """Write that many clicks, spread over days with the rhythm of the day, as fast as possible.

    Files that are there already are left alone, so that a run that was interrupted can be completed. ``shift`` is that
    of ``feed.past``.

    Yields:
        The number of records in each new file once it is there. Faults may add a few to the number of clicks.
    """
    for number, lines in enumerate(feed.past(clicks, clicks_per_file, start_ms, days, seed, faults, shift)):
        file = folder / _name(seed, number, gzipped)
        if not file.exists():
            write_whole(file, lines, gzipped)
            yield len(lines)


def write_live(
    folder: Path, clicks: int | None, clicks_per_second: float, seed: int, faults: Faults, gzipped: bool = False,
    clock: Callable[[], float] = time.time, shift: float = 0.0,
) -> Iterator[int]:  # fmt: skip
    """Write clicks as they happen, a file a second, at a steady rate; the event time is the time of the click.

    Ends after the given number of clicks, or never.

    Yields:
        The number of records in each file once it is there.
    """
    begun = int(clock())
    for number, lines in enumerate(feed.live(clicks, clicks_per_second, seed, faults, clock, shift)):
        write_whole(folder / _name(begun, number, gzipped), lines, gzipped)
        yield len(lines)


def write_whole(path: Path, lines: pa.Array, gzipped: bool = False) -> None:
    """Write the lines to a hidden file beside ``path``, then rename it: no reader ever sees half a file."""
    ended = pc.binary_join_element_wise(lines, b"", b"\n")
    data: bytes | memoryview = memoryview(_bytes_of(ended))
    if gzipped:
        data = gzip.compress(data, GZIP_LEVEL)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.write_bytes(data)
    aside.rename(path)


def _bytes_of(lines: pa.Array) -> pa.Buffer:
    offsets, data = lines.buffers()[1:]
    first, last = np.frombuffer(offsets, np.int32)[[lines.offset, lines.offset + len(lines)]]
    return data[int(first) : int(last)]


def _name(stem: int, number: int, gzipped: bool) -> str:
    return f"clicks-{stem}-{number:06d}.jsonl" + (".gz" if gzipped else "")
