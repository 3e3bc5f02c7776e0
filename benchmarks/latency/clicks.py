"""Clicks that carry the microsecond of their creation, and the two places that they are sent to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from confluent_kafka import KafkaError, Message, Producer

from shopsim import topics, visits
from shopsim.landing import write_whole
from shopsim.records import JsonLines

Micros = npt.NDArray[np.int64]
Keyed = tuple[bytes, bytes]
"""A record and, before it, its key: the visitor."""

MICROS = 1_000_000
POOL_CLICKS = 100_000
"""Different clicks that come round again and again: far more than one micro-batch holds, at any rate we send."""
NATURAL_RATE = 200.0
"""Clicks/s of the simulated visits; only the order of the clicks matters here, they get times of their own."""
TIME = b'"event_time":"'
TIME_LENGTH = len("2026-03-01T12:00:00.250")
"""The simulator's times end at milliseconds."""

LINGER_MS = 1
"""The producer waits no longer than this for more records: a click must not age before it is sent."""


@dataclass(frozen=True)
class Schedule:
    """When each click is created, whatever happens to those before it.

    Attributes:
        begin_us: creation of the first one, microseconds since 1970.
        rate: clicks per second.
    """

    begin_us: int
    rate: int

    def due(self, now_us: int) -> int:
        """Return how many clicks have been created by now."""
        return max(0, (now_us - self.begin_us) * self.rate // MICROS + 1)

    def created(self, first: int, end: int) -> Micros:
        """Return when each click of a range was created; no two have the same microsecond."""
        created: Micros = self.begin_us + np.arange(first, end, dtype=np.int64) * MICROS // self.rate
        return created


class Pool:
    """Clicks of the simulated shop, rendered beforehand, so that sending one only means to put its time in."""

    def __init__(self, seed: int) -> None:
        """Render the clicks."""
        flow, blocks, count = visits.flow(seed, 0, NATURAL_RATE, rhythm=False), [], 0
        while count < POOL_CLICKS:
            blocks.append(next(flow))
            count += len(blocks[-1])
        clicks = visits.Clicks.concat(blocks).take(slice(0, POOL_CLICKS))
        lines = [line.encode() for line in JsonLines(seed).render(clicks).to_pylist()]
        at = lines[0].index(TIME) + len(TIME)
        self._heads = [line[:at] for line in lines]
        self._tails = [line[at + TIME_LENGTH :] for line in lines]
        self._keys = [f"v{visitor}".encode() for visitor in clicks.visitor]

    def clicks(self, first: int, created: Micros) -> list[Keyed]:
        """Return the clicks from a number on, each with its time of creation as event time."""
        times = np.datetime_as_string(created.view("datetime64[us]")).astype(bytes).tolist()
        keys, heads, tails = self._keys, self._heads, self._tails
        places = ((i % POOL_CLICKS, time) for i, time in enumerate(times, first))
        return [(keys[at], heads[at] + time + tails[at]) for at, time in places]


class Outlet(Protocol):
    """Where clicks go."""

    tick_s: float
    """How often clicks are put, all that have been created since."""

    def put(self, clicks: list[Keyed]) -> None:
        """Send clicks; never waits for whoever reads them."""

    def close(self) -> None:
        """Return when all of them are there."""


class FolderOutlet:
    """A landing folder: a file for each tick, renamed into its place when it is whole."""

    def __init__(self, folder: Path, tick_s: float) -> None:
        """Begin with file 0."""
        self._folder, self.tick_s, self._files = folder, tick_s, 0

    def put(self, clicks: list[Keyed]) -> None:
        """Land one file."""
        records = pa.array([record for _, record in clicks], pa.binary())
        write_whole(self._folder / f"clicks-{self._files:07d}.jsonl", records)
        self._files += 1

    def close(self) -> None:
        """Do nothing: each file is there when ``put`` returns."""


class TopicOutlet:
    """A Kafka topic, with the visitor as key."""

    tick_s = 0.005
    """Short against any latency that is measured, and long enough to send some clicks at once."""

    def __init__(self, servers: str, topic: str) -> None:
        """Connect; every record is confirmed by the broker, as in the simulator."""
        quick = {"linger.ms": LINGER_MS, "delivery.report.only.error": True, "bootstrap.servers": servers}
        self._producer, self._topic = Producer({**topics.PRODUCER, **quick}), topic
        self._error: KafkaError | None = None

    def put(self, clicks: list[Keyed]) -> None:
        """Hand the records to the client, which sends them from a thread of its own."""
        produce, topic, failed = self._producer.produce, self._topic, self._failed
        for key, record in clicks:
            produce(topic, record, key, on_delivery=failed)
        self._producer.poll(0)

    def close(self) -> None:
        """Wait until the broker has confirmed all records.

        Raises:
            DeliveryError: if it has not.
        """
        left = self._producer.flush(topics.PATIENCE_S)
        if left or self._error:
            raise topics.DeliveryError(f"{self._topic}: {self._error or f'{left:,} records not confirmed'}")

    def _failed(self, error: KafkaError | None, _: Message) -> None:
        self._error = error or self._error
