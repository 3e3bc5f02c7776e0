"""The simulated clicks that benchmarks score: in a landing folder, or in a topic."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from shopsim import feed, topics
from shopsim.landing import write_history
from shopsim.records import Faults

MARCH_MS = 1_772_323_200_000
"""The first moment of March 2026, UTC, in milliseconds since 1970: the time of the first click."""
DAYS = 14.0
"""Time that the clicks are spread over."""
PER_FILE = 10_000
NO_FAULTS = Faults()


def records(clicks: int, seed: int, faults: Faults = NO_FAULTS, portion: int = PER_FILE) -> Iterator[pa.BinaryArray]:
    """Yield raw records, JSON objects, in portions; the same seed gives the same records."""
    return feed.past(clicks, portion, MARCH_MS, DAYS, seed, faults)


def land(folder: Path, clicks: int, seed: int, faults: Faults = NO_FAULTS, per_file: int = PER_FILE) -> int:
    """Write files of JSON lines, except those that are there already; return how many records are new."""
    return sum(write_history(folder, clicks, per_file, MARCH_MS, DAYS, seed, faults))


def send(
    servers: str, topic: str, partitions: int, clicks: int, seed: int, faults: Faults = NO_FAULTS
) -> int:  # fmt: skip
    """Make a topic and fill it; return how many records it has got."""
    topics.make_topic(servers, topic, partitions)
    return sum(topics.send(records(clicks, seed, faults), servers, topic))
