"""CPU time and memory of a whole process tree."""

from typing import Any

import psutil


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
        return float(sum(t.user + t.system + t.children_user + t.children_system for t in times))


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


def _family(of: int | None, without: int | None = None) -> list[Any]:
    top = psutil.Process(of)
    return [top, *(process for process in top.children(recursive=True) if process.pid != without)]
