"""CPU time of the job on the machine of the driver: its Python, its JVM and, in local mode, the Python workers.

Linux adds the time of a process that has ended to its parent's. On a cluster the executors are on other machines, and
not in it.
"""

import os
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PROCESSES = Path("/proc")
_JVM = b"java"
_TICKS = os.sysconf("SC_CLK_TCK")
_PARENT, _TIMES = 1, slice(11, 15)
"""Fields of /proc/PID/stat after the name: the parent, and the time as user and in the kernel, own and of children."""
LOOK_AFTER_S = 5.0
"""Between two looks: each reads a file per process of the machine, 5 ms for 150 of them."""


class CpuMeter:
    """Tells the CPU seconds that the job has used since it last did."""

    def __init__(self) -> None:
        """Begin to count."""
        self._seconds, self._looked = tree_seconds(), time.monotonic()

    def since_last(self) -> float | None:
        """Return the CPU seconds since the last answer; None where that is too short ago, or no Linux can tell."""
        before, now = self._seconds, time.monotonic()
        if before is None or now - self._looked < LOOK_AFTER_S:
            return None
        self._seconds, self._looked = tree_seconds(), now
        return None if self._seconds is None else max(0.0, self._seconds - before)


def tree_seconds(processes: Path = _PROCESSES) -> float | None:
    """Return the CPU seconds of this process and those below it; where spark-submit has started it, of its JVM, too.

    Args:
        processes: where Linux tells about processes.
    """
    seconds, children, names = dict[int, float](), defaultdict[int, list[int]](list), dict[int, bytes]()
    parents = dict[int, int]()
    for process, name, parent, used in _stats(processes):
        names[process], seconds[process], parents[process] = name, used, parent
        children[parent].append(process)
    me = os.getpid()
    if me not in seconds:
        return None
    waiting, total = [parents[me] if names.get(parents[me]) == _JVM else me], 0.0
    while waiting:
        process = waiting.pop()
        total += seconds[process]
        waiting += children[process]
    return total


def _stats(processes: Path) -> Iterator[tuple[int, bytes, int, float]]:
    """Yield number, name, parent and CPU seconds of each process."""
    for folder in processes.glob("[0-9]*"):
        try:
            head, _, tail = (folder / "stat").read_bytes().rpartition(b") ")
        except OSError:  # it has just ended
            continue
        fields = tail.split(None, _TIMES.stop)
        yield int(folder.name), head.partition(b"(")[2], int(fields[_PARENT]), sum(map(int, fields[_TIMES])) / _TICKS
