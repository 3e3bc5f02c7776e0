"""CPU time of a whole process tree."""

import psutil


def cpu_seconds(without: int | None = None) -> float:
    """Return the CPU time of this process and all below it so far, in seconds.

    Args:
        without: id of a process below this one that does not count, such as a broker.
    """
    me = psutil.Process()
    family = [me, *(process for process in me.children(recursive=True) if process.pid != without)]
    times = [process.cpu_times() for process in family]
    return float(sum(t.user + t.system + t.children_user + t.children_system for t in times))
