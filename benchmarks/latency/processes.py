"""The two processes beside the stream: one creates clicks on schedule, one reads the table like anybody else would."""

import json
import multiprocessing
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event, Semaphore
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq
from benchmarks.latency.clicks import MICROS, FolderOutlet, Micros, Outlet, Pool, Schedule, TopicOutlet
from deltalake import DeltaTable

SEED = 11
FIRST_CLICKS = 2_000
"""Clicks that are there when the stream starts, so that it has something for its first commit."""
POLL_S = 0.02
"""How often the reader looks for a new version; on average it sees one half of this late."""
LATE_PERCENTILE = 99
PARENT_CHECK_S = 1.0


@dataclass(frozen=True)
class Target:
    """Where clicks go: ``folder`` with the seconds between two files, or ``topic`` on ``servers``."""

    folder: Path | None = None
    file_s: float = 0.0
    servers: str = ""
    topic: str = ""

    def open(self) -> Outlet:
        """Connect to the place."""
        return FolderOutlet(self.folder, self.file_s) if self.folder else TopicOutlet(self.servers, self.topic)


@dataclass(frozen=True)
class Sent:
    """What was sent.

    Attributes:
        schedule: when the clicks were created.
        clicks: how many.
        late_s: 99th percentile of how long after its tick a portion was handed over; it counts as latency.
    """

    schedule: Schedule
    clicks: int
    late_s: float


@dataclass(frozen=True)
class Seen:
    """What a reader of the table saw: one element for each version with rows, in all arrays but ``created_us``.

    Attributes:
        at_us: when it saw the version, microseconds since 1970.
        rows: rows that came with it.
        created_us: when the click of each row was created, version after version.
    """

    at_us: Micros
    rows: Micros
    created_us: Micros


def now_us() -> int:
    """Return the time of day; all processes of a measurement share this clock."""
    return time.time_ns() // 1000


def create_clicks(target: Target, rate: int, ready: Semaphore, go: Event, stop: Event, told: "Queue[Sent]") -> None:
    """Send some clicks at once; after ``go``, send them on schedule until ``stop``. Runs in a process of its own."""
    _leave_interrupts_to_parent()
    pool, outlet = Pool(SEED), target.open()
    outlet.put(pool.clicks(0, Schedule(now_us(), MICROS).created(0, FIRST_CLICKS)))
    ready.release()
    while not go.wait(PARENT_CHECK_S):
        if not _is_wanted():
            return
    schedule, sent, late = Schedule(now_us(), rate), 0, list[float]()
    for tick in _ticks(outlet.tick_s, stop):
        due = schedule.due(now_us())
        outlet.put(pool.clicks(sent, schedule.created(sent, due)))
        sent = due
        late.append(time.monotonic() - tick)
    outlet.close()
    told.put(Sent(schedule, sent, float(np.percentile(late, LATE_PERCENTILE))))


def _ticks(interval_s: float, stop: Event) -> Iterator[float]:
    """Yield the planned times of the ticks, each when it has come; a late one does not move those behind it."""
    begun, number = time.monotonic(), 1
    while not stop.is_set() and _is_wanted():
        tick = begun + number * interval_s
        time.sleep(max(0.0, tick - time.monotonic()))
        yield tick
        number = max(number + 1, int((time.monotonic() - begun) / interval_s))


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _is_wanted() -> bool:
    parent = multiprocessing.parent_process()
    return parent is None or parent.is_alive()


def read_table(
    table: Path, event_time: str, ready: Semaphore, visible: "Synchronized[int]", stop: Event, told: "Queue[Seen]"
) -> None:  # fmt: skip
    """Watch a table until ``stop``, count the visible rows, and tell all at the end. Runs in a process of its own.

    A version is seen when delta-rs has loaded it. While clicks come, nothing but the log is read; the event times of
    all rows are read afterwards, so that the reader takes next to nothing from the two systems that it watches.
    """
    _leave_interrupts_to_parent()
    ready.release()
    versions = list[tuple[int, list[Path]]]()
    for seen_us, number in _versions(table, stop):
        added = list(_added(table, number))
        if added:
            versions.append((seen_us, [file for file, _ in added]))
            visible.value += sum(rows for _, rows in added)
    created = [_event_times(files, event_time) for _, files in versions]
    at_us = np.array([seen_us for seen_us, _ in versions], dtype=np.int64)
    rows = np.array([len(times) for times in created], dtype=np.int64)
    told.put(Seen(at_us, rows, np.concatenate(created) if created else np.zeros(0, dtype=np.int64)))


def _versions(table: Path, stop: Event) -> Iterator[tuple[int, int]]:
    """Yield when each version was seen, and its number."""
    reader, known = None, -1
    while not stop.is_set() and _is_wanted():
        # To ask for one file costs microseconds; delta-rs lists the whole log.
        if not _entry(table, known + 1).exists():
            time.sleep(POLL_S)
            continue
        if reader is None:
            reader = DeltaTable(table)
        else:
            reader.update_incremental()
        seen_us = now_us()
        for number in range(known + 1, reader.version() + 1):
            yield seen_us, number
        known = reader.version()


def _entry(table: Path, version: int) -> Path:
    return table / "_delta_log" / f"{version:020d}.json"


def _added(table: Path, version: int) -> Iterator[tuple[Path, int]]:
    """Yield the data files of a version, with their rows."""
    for line in _entry(table, version).read_text(encoding="utf-8").splitlines():
        if added := json.loads(line).get("add"):
            yield table / added["path"], json.loads(added["stats"])["numRecords"]


def _event_times(files: list[Path], event_time: str) -> Micros:
    times: list[npt.NDArray[np.int64]] = []
    for file in files:
        column = pq.read_table(file, columns=[event_time]).column(event_time).cast("timestamp[us]")
        times.append(pc.cast(column, "int64").to_numpy())
    return np.concatenate(times)
