"""What else the machine does during a measurement: a busy neighbour makes every figure worse."""

import time

import psutil
from benchmarks.common.cpu import cpu_seconds

NOTABLE_CORES = 0.15
"""More than what the kernel and a few idle services use."""


class Neighbours:
    """Measures the CPU time that goes to processes other than this one and those below it."""

    def __init__(self) -> None:
        """Begin."""
        self._begun, self._at_begin = time.monotonic(), _others_s()

    def cores(self) -> float:
        """Return how many cores the others have used since, on average."""
        return max(0.0, _others_s() - self._at_begin) / (time.monotonic() - self._begun)


def _others_s() -> float:
    times = psutil.cpu_times()
    # What a virtual machine does not get is not idle either; some systems do not tell it.
    busy = times.user + times.system + times.nice + sum(getattr(times, name, 0.0) for name in ("softirq", "steal"))
    return float(busy) - cpu_seconds()
