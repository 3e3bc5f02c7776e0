"""The steady state of a run, read from the commits of its table: what the micro-batches behind the first one cost."""

import json
from bisect import bisect
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.throughput.process import Sample

MS_PER_S = 1000
LEAST_COMMITS = 2


class Commit(NamedTuple):
    """When rows were committed, in seconds since 1970, and how many."""

    time_s: float
    rows: int


class Steady(NamedTuple):
    """CPU-seconds per million rows and rows per second, from the first commit with rows to the last."""

    cpu_s_per_million: float
    clicks_per_s: float


def commits(table: Path) -> list[Commit]:
    """Return the commits with rows of a Delta table, from its log."""
    found = []
    for entry in sorted((table / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in entry.read_text(encoding="utf-8").splitlines()]
        rows = sum(json.loads(action["add"]["stats"])["numRecords"] for action in actions if "add" in action)
        times = [action["commitInfo"]["timestamp"] for action in actions if "commitInfo" in action]
        if rows:
            found.append(Commit(times[0] / MS_PER_S, rows))
    return found


def steady(found: Sequence[Commit], samples: Sequence[Sample]) -> Steady | None:
    """Return what the rows behind the first commit have cost; None if there is one commit only."""
    if len(found) < LEAST_COMMITS:
        return None
    first, last = found[0].time_s, found[-1].time_s
    rows = sum(commit.rows for commit in found[1:])
    return Steady((_cpu_at(last, samples) - _cpu_at(first, samples)) * 1e6 / rows, rows / (last - first))


def _cpu_at(time_s: float, samples: Sequence[Sample]) -> float:
    """Return the CPU-seconds at a moment between two samples."""
    position = min(max(bisect(samples, time_s, key=lambda sample: sample.time_s), 1), len(samples) - 1)
    before, after = samples[position - 1], samples[position]
    share = (time_s - before.time_s) / (after.time_s - before.time_s)
    return before.cpu_s + share * (after.cpu_s - before.cpu_s)
