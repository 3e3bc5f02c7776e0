"""Clicks of the simulated shop as JSON records, from the past as fast as possible, or live at a set rate."""

import time
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from shopsim import visits
from shopsim.records import Faults, JsonLines, with_faults

MAX_NATURAL_RATE = 200.0
"""Clicks/s up to which a live feed keeps the visitors' own pace; above it, sessions run faster than life."""
PORTION_SECONDS = 1.0
"""Length of a live portion in seconds."""


def past(
    clicks: int, portion: int, start_ms: int, days: float, seed: int, faults: Faults,
    shift: float = 0.0,
) -> Iterator[pa.BinaryArray]:  # fmt: skip
    """Yield that many clicks, spread over days with the rhythm of the day, in portions of that many records.

    ``shift`` is the share of the visits that a campaign brings, which the shop did not have before.
    """
    flow = visits.flow(seed, start_ms, clicks / (days * 86_400), shift=shift)
    renderer, rng = JsonLines(seed), np.random.default_rng([seed, 2])
    held = pa.array([], pa.binary())
    while clicks > 0:
        block = next(flow)
        block = block.take(slice(0, clicks))
        clicks -= len(block)
        held = pa.concat_arrays([held, with_faults(renderer.render(block), faults, rng)])
        while len(held) >= portion or (clicks == 0 and len(held)):
            yield held[:portion]
            held = held[portion:]


def live(
    clicks: int | None, clicks_per_second: float, seed: int, faults: Faults, clock: Callable[[], float] = time.time,
    shift: float = 0.0,
) -> Iterator[pa.BinaryArray]:  # fmt: skip
    """Yield clicks as they happen, a portion a second, at a steady rate; the event time is the time of the click.

    Ends after the given number of clicks, or never; ``shift`` is that of ``past``.
    """
    pace = min(clicks_per_second, MAX_NATURAL_RATE)
    flow = visits.flow(seed, int(clock() * visits.MS_PER_S), pace, rhythm=False, shift=shift)
    renderer, rng = JsonLines(seed), np.random.default_rng([seed, 2])
    block = next(flow).take(slice(0, 0))  # The first block only fills the shop with visitors.
    begun = clock()
    sent, portion = 0, 0
    while clicks is None or sent < clicks:
        upto = round((portion + 1) * PORTION_SECONDS * clicks_per_second)
        count = (upto if clicks is None else min(upto, clicks)) - sent
        while len(block) < count:
            block = visits.Clicks.concat([block, next(flow)])
        now, block = block.take(slice(0, count)), block.take(slice(count, None))
        now = visits.stretched(now, (begun + sent / clicks_per_second) * visits.MS_PER_S, clicks_per_second)
        time.sleep(max(0.0, begun + (sent + count) / clicks_per_second - clock()))
        yield with_faults(renderer.render(now), faults, rng)
        sent += count
        portion += 1
