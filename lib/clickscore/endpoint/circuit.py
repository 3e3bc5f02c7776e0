"""The circuit breaker: after failures in a row, one request at a time asks whether the endpoint is back."""

import threading
import time
from collections.abc import Callable

OPENS_AFTER = 5
"""Failures in a row, over all requests of a worker, after which the endpoint counts as away."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 10.0
"""Time until the next request then; it doubles with each that fails."""
LOOK_AGAIN_S = 0.1
"""Time after which a request that waits for the result of another one asks again."""


class Circuit:
    """Says when a request may be sent; the requests of a worker share it.

    Closed, all may. After ``OPENS_AFTER`` failures in a row it is open: none may until a pause is over, then one, whose
    result closes the circuit or begins a longer pause.

    Attributes:
        cause: what the last failure was.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin closed.

        Args:
            clock: seconds that only grow.
        """
        self._clock, self._lock = clock, threading.Lock()
        self._failures, self._opens_at, self._is_asking = 0, 0.0, False
        self.cause = ""

    def admit(self) -> float:
        """Return 0 if a request may be sent, or after how many seconds to ask again.

        Each request that is admitted must end with ``succeeded`` or ``failed``.
        """
        with self._lock:
            if self._failures < OPENS_AFTER:
                return 0.0
            if (pause := self._opens_at - self._clock()) > 0:
                return pause
            if self._is_asking:
                return LOOK_AGAIN_S
            self._is_asking = True
            return 0.0

    def succeeded(self) -> None:
        """Note that the endpoint has answered; the circuit is closed afterwards."""
        with self._lock:
            self._failures, self._is_asking = 0, False

    def failed(self, cause: str) -> None:
        """Note that it has not."""
        with self._lock:
            self._failures += 1
            self._is_asking, self.cause = False, cause
            if self._failures >= OPENS_AFTER:
                pause = FIRST_PAUSE_S * 2.0 ** min(self._failures - OPENS_AFTER, 10)
                self._opens_at = self._clock() + min(pause, LONGEST_PAUSE_S)
