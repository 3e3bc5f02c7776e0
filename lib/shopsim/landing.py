"""JSON-lines files that appear whole in a landing folder, at a set rate or as fast as possible."""

import gzip
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from shopsim import visits
from shopsim.records import Faults, JsonLines, with_faults

MAX_NATURAL_RATE = 200.0
"""Clicks/s up to which a live feed keeps the visitors' own pace; above it, sessions run faster than life."""
FILE_SECONDS = 1.0
"""Length of a live file in seconds."""
GZIP_LEVEL = 1


def write_history(
    folder: Path, clicks: int, clicks_per_file: int, start_ms: int, days: float, seed: int, faults: Faults,
    gzipped: bool = False,
) -> Iterator[int]:  # fmt: skip
    """Write that many clicks, spread over days with the rhythm of the day, as fast as possible.

    Files that are there already are left alone, so that a run that was interrupted can be completed.

    Yields:
        The number of records in each new file once it is there. Faults may add a few to the number of clicks.
    """
    flow = visits.flow(seed, start_ms, clicks / (days * 86_400))
    renderer, rng = JsonLines(seed), np.random.default_rng([seed, 2])
    held = pa.array([], pa.binary())
    file_number = 0
    while clicks > 0:
        block = next(flow)
        block = block.take(slice(0, clicks))
        clicks -= len(block)
        held = pa.concat_arrays([held, with_faults(renderer.render(block), faults, rng)])
        while len(held) >= clicks_per_file or (clicks == 0 and len(held)):
            lines, held = held[:clicks_per_file], held[clicks_per_file:]
            file = folder / _name(seed, file_number, gzipped)
            if not file.exists():
                write_whole(file, lines, gzipped)
                yield len(lines)
            file_number += 1


def write_live(
    folder: Path, clicks: int | None, clicks_per_second: float, seed: int, faults: Faults, gzipped: bool = False,
    clock: Callable[[], float] = time.time,
) -> Iterator[int]:  # fmt: skip
    """Write clicks as they happen, a file a second, at a steady rate; the event time is the time of the click.

    Ends after the given number of clicks, or never.

    Yields:
        The number of records in each file once it is there.
    """
    flow = visits.flow(seed, int(clock() * visits.MS_PER_S), min(clicks_per_second, MAX_NATURAL_RATE), rhythm=False)
    renderer, rng = JsonLines(seed), np.random.default_rng([seed, 2])
    block = next(flow).take(slice(0, 0))  # The first block only fills the shop with visitors.
    begun = clock()
    sent, file_number = 0, 0
    while clicks is None or sent < clicks:
        upto = round((file_number + 1) * FILE_SECONDS * clicks_per_second)
        count = (upto if clicks is None else min(upto, clicks)) - sent
        while len(block) < count:
            block = visits.Clicks.concat([block, next(flow)])
        now, block = block.take(slice(0, count)), block.take(slice(count, None))
        now = visits.stretched(now, (begun + sent / clicks_per_second) * visits.MS_PER_S, clicks_per_second)
        time.sleep(max(0.0, begun + (sent + count) / clicks_per_second - clock()))
        lines = with_faults(renderer.render(now), faults, rng)
        write_whole(folder / _name(int(begun), file_number, gzipped), lines, gzipped)
        yield len(lines)
        sent += count
        file_number += 1


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
