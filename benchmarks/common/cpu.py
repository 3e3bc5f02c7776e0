"""CPU time and memory of a whole process tree."""

import threading
from typing import Any

import psutil

DAEMONS = {"pyspark.daemon", "clickscore.stream.worker_daemon"}
"""Start Spark's Python workers. They ignore their ends, so the system forgets the CPU time of those that have ended."""


def cpu_seconds(without: int | None = None, of: int | None = None) -> float:
    """Return the CPU time of a process and all below it so far, in seconds; those that have ended count, too.

    Args:
        without: id of a process below it that does not count, such as a broker.
        of: id of the process; this one, if it is left out.
    """
    while True:
        try:
            times = [process.cpu_times() for process in _family(of, without)]
        except psutil.NoSuchProcess as gone:
            if gone.pid == of:
                raise
            continue  # it has ended since it was listed, and counts with its parent now
        return sum(map(_whole, times))


def spark_cpu(without: int | None = None) -> tuple[float, float]:
    """Return the CPU time so far of the JVM below this process, and of the Python workers below that, in seconds.

    Args:
        without: id of another process with a JVM, such as a broker.
    """
    jvm = next(child for child in psutil.Process().children() if "java" in child.name() and child.pid != without)
    times = jvm.cpu_times()
    workers = 0.0
    for worker in jvm.children(recursive=True):
        try:
            workers += _whole(worker.cpu_times())
        except psutil.NoSuchProcess:  # it has ended since it was listed, and counts with its parent now
            continue
    return float(times.user + times.system), workers


class CpuMeter:
    """CPU time of a process and all below it, with that of Python workers that Spark has ended since the last look.

    Without it, a worker that ends would make the time of the tree smaller by all that the worker has ever taken.
    """

    def __init__(self, of: int) -> None:
        """Look for the first time."""
        self._of, self._lost_s, self._lock = of, 0.0, threading.Lock()
        self._seen: dict[Any, float] = {}
        self._workers: set[Any] = set()
        self.seconds()

    def seconds(self) -> float:
        """Return the CPU time so far."""
        with self._lock:
            seen: dict[Any, float] = {}
            for process in _family(self._of):
                try:
                    t = process.cpu_times()
                    if process not in self._seen and DAEMONS.intersection(psutil.Process(process.ppid()).cmdline()):
                        self._workers.add(process)
                except psutil.Error:  # it has ended since it was listed
                    continue
                seen[process] = _whole(t)
            self._lost_s += sum(self._seen[gone] for gone in self._seen.keys() - seen.keys() if gone in self._workers)
            self._seen = seen
            return self._lost_s + sum(seen.values())


def memory_bytes(of: int) -> int:
    """Return the memory of a process and all below it; where Linux tells, a page that several share counts once."""
    total = 0
    for process in _family(of):
        try:
            info = process.memory_full_info()
        except psutil.Error:  # it has ended since it was listed
            continue
        total += getattr(info, "pss", info.uss)
    return total


def _whole(times: Any) -> float:
    return float(times.user + times.system + times.children_user + times.children_system)


def _family(of: int | None, without: int | None = None) -> list[Any]:
    top = psutil.Process(of)
    return [top, *(process for process in top.children(recursive=True) if process.pid != without)]
