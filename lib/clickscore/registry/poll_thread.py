"""A thread that asks the registry again and again, so that nobody who scores waits for it."""

import threading
from collections.abc import Callable

STOP_PATIENCE_S = 5
"""How long the end of a run waits for a poll; one that hangs at an unreachable registry is left behind."""


class PollThread:
    """Calls a function at an interval, in a thread of its own."""

    def __init__(self, poll: Callable[[], None], interval_s: float) -> None:
        """Set the thread up; it does nothing before ``start``.

        Args:
            poll: asks once; must not raise, as the thread would end.
            interval_s: seconds between two calls.
        """
        self._poll, self._interval_s = poll, interval_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alias-poller", daemon=True)

    @property
    def is_stopping(self) -> bool:
        """Whether ``stop`` was called."""
        return self._stopping.is_set()

    def start(self) -> None:
        """Begin; the first call comes after the interval."""
        self._thread.start()

    def stop(self) -> None:
        """Call no more; a thread that was never started is fine."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_PATIENCE_S)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self._poll()
