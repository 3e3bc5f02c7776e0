"""One measurement of latency: a producer that never waits, a system under test, and a reader of its table."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from queue import Empty
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from benchmarks.common.charts import SLOW
from benchmarks.common.neighbours import Neighbours
from benchmarks.latency.clicks import MICROS
from benchmarks.latency.processes import FIRST_CLICKS, Seen, Sent, create_clicks, now_us, read_table
from benchmarks.latency.systems import System, UnderTestError

EVENT_TIME = "event_time"
READY_PATIENCE_S = 60
START_PATIENCE_S = 180
"""For the first commit: the recipe on a cold machine needs a minute."""
DRAIN_PATIENCE_S = 30
"""How long clicks may still appear after the last one was created; what does not counts as at least that late."""
ANSWER_PATIENCE_S = 120
"""The reader reads all event times at its end."""
LOOK_S = 0.05
QUANTILES = np.linspace(0, 1, 201)
"""For the plot: in steps of half a percent."""
STEADY = 1.5
"""Clicks of the second half may take that much longer than those of the first half, by median, ..."""
STEADY_S = 1.0
"""... and this many seconds: a system that cannot keep up gets later and later."""

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Commits:
    """The commits with rows within the measured time.

    Attributes:
        count: how many there were, without the first.
        interval_s: median time between two.
        slow: each that took more than twice as long: when, since the begin of the measured time, and how long.
    """

    count: int
    interval_s: float
    slow: list[tuple[float, float]]


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        start_s: start of the process to the first rows in the table.
        latencies_s: click created to click visible, one for each click of the measured time; of one that was never
            seen, how old it was when nobody looked any more.
        unseen: how many were never seen.
        keeps_up: whether the latency does not grow.
        commits: the commits.
        late_s: how late the producer itself was, 99th percentile.
        others_cores: cores that processes outside of the benchmark have used meanwhile.
    """

    start_s: float
    latencies_s: npt.NDArray[np.float64]
    unseen: int
    keeps_up: bool
    commits: Commits
    late_s: float
    others_cores: float

    def figures(self) -> dict[str, Any]:
        """Return what goes into the file of results."""
        p50, p95, p99 = np.quantile(self.latencies_s, (0.5, 0.95, 0.99)).tolist()
        commits = self.commits
        return {
            "p50_s": p50, "p95_s": p95, "p99_s": p99, "clicks": len(self.latencies_s), "unseen": self.unseen,
            "keeps_up": self.keeps_up, "start_s": self.start_s,
            "commits": commits.count, "commit_interval_s": commits.interval_s,
            "slow_commit_share": len(commits.slow) / max(1, commits.count),
            "slow_commits_s": np.round(commits.slow, 2).tolist(),
            "producer_late_p99_s": self.late_s, "others_cores": self.others_cores,
            "quantiles_s": np.quantile(self.latencies_s, QUANTILES).round(4).tolist(),
        }  # fmt: skip


def measure(system: System, rate: int, warm_up_s: float, seconds: float) -> Measured:
    """Run a system at a rate of clicks; the time to measure begins ``warm_up_s`` after its first commit."""
    context = multiprocessing.get_context("spawn")
    go, stop, halt = context.Event(), context.Event(), context.Event()
    ready, visible = context.Semaphore(0), context.Value("q", 0)
    sent_box: Queue[Sent] = context.Queue()
    seen_box: Queue[Seen] = context.Queue()
    with ExitStack() as stack:
        producer = context.Process(target=create_clicks, args=(system.target, rate, ready, go, stop, sent_box))
        reader = context.Process(target=read_table, args=(system.table, EVENT_TIME, ready, visible, halt, seen_box))
        for process in (producer, reader):
            stack.enter_context(_running(process))
        # Their own start must not slow down that of the system.
        if not all(ready.acquire(timeout=READY_PATIENCE_S) for _ in (producer, reader)):
            raise UnderTestError("the producer or the reader of the benchmark has not started")
        begun = time.monotonic()
        under_test = stack.enter_context(system.running())

        def wait(until: Callable[[], bool], patience_s: float) -> bool:
            deadline = time.monotonic() + patience_s
            while not until() and time.monotonic() < deadline:
                if under_test.poll() is not None:
                    raise system.failure()
                if not (producer.is_alive() or stop.is_set()) or not reader.is_alive():
                    raise UnderTestError("the producer or the reader of the benchmark has failed")
                time.sleep(LOOK_S)
            return until()

        if not wait(lambda: visible.value > 0, START_PATIENCE_S):
            raise UnderTestError(f"the {system.name} has not committed anything within {START_PATIENCE_S} s")
        start_s = time.monotonic() - begun
        go.set()
        wait(lambda: False, warm_up_s)
        others = Neighbours()
        wait(lambda: False, seconds)
        others_cores = others.cores()
        stop.set()
        sent = _answer(sent_box, producer)
        wait(lambda: visible.value >= sent.clicks + FIRST_CLICKS, DRAIN_PATIENCE_S)
        halt.set()
        end_us = now_us()
        seen = _answer(seen_box, reader)
    begin_us = sent.schedule.begin_us + int(warm_up_s * MICROS)
    limit_us = begin_us + int(seconds * MICROS)
    latencies, unseen = _latencies(sent, seen, begin_us, limit_us, end_us)
    commits = _commits(seen, begin_us, limit_us)
    return Measured(start_s, latencies, unseen, _keeps_up(latencies), commits, sent.late_s, others_cores)


def _latencies(
    sent: Sent, seen: Seen, begin_us: int, limit_us: int, end_us: int
) -> tuple[npt.NDArray[np.float64], int]:  # fmt: skip
    """Return the latency of each click that was created in the measured time, and how many were never seen."""
    schedule = sent.schedule
    wanted = schedule.created(schedule.due(begin_us), min(schedule.due(limit_us), sent.clicks))
    # Clicks that are never seen: at least as late as the end of the watch tells.
    at_us = np.full(len(wanted), end_us, dtype=np.int64)
    where = np.searchsorted(wanted, seen.created_us) % len(wanted)
    is_wanted = wanted[where] == seen.created_us
    at_us[where[is_wanted]] = np.repeat(seen.at_us, seen.rows)[is_wanted]
    return (at_us - wanted) / MICROS, len(wanted) - int(is_wanted.sum())


def _keeps_up(latencies: npt.NDArray[np.float64]) -> bool:
    early, late = (float(np.median(half)) for half in np.array_split(latencies, 2))
    return late <= max(early * STEADY, early + STEADY_S)


def _commits(seen: Seen, begin_us: int, limit_us: int) -> Commits:
    at_s = (seen.at_us[(seen.at_us >= begin_us) & (seen.at_us <= limit_us)] - begin_us) / MICROS
    intervals = np.diff(at_s)
    if not len(intervals):
        return Commits(0, limit_us / MICROS - begin_us / MICROS, [])
    median = float(np.median(intervals))
    slow = np.flatnonzero(intervals > SLOW * median)
    return Commits(len(intervals), median, [(float(at_s[i + 1]), float(intervals[i])) for i in slow])


@contextmanager
def _running(process: BaseProcess) -> Iterator[None]:
    process.daemon = True
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join()


def _answer(box: "Queue[Answer]", process: BaseProcess) -> Answer:
    try:
        return box.get(timeout=ANSWER_PATIENCE_S)
    except Empty:
        raise UnderTestError(f"{process.name} of the benchmark has not answered") from None
