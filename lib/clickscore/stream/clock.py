"""The clock of the machine: notices that it was set back, when Spark would wait for the old time."""

import time
from collections.abc import Callable

Seconds = Callable[[], float]

NOTABLE_S = 5.0
"""Least step that is worth a word: clocks are corrected by fractions of a second all the time."""


class Clock:
    """Tells how far the clock was set back from where it would be by now."""

    def __init__(self, wall: Seconds = time.time, steady: Seconds = time.monotonic) -> None:
        """Begin to watch.

        Args:
            wall: the time of day, which may be set.
            steady: what nobody can set.
        """
        self._wall, self._steady = wall, steady
        self._furthest = self._offset

    @property
    def _offset(self) -> float:
        return self._wall() - self._steady()

    def set_back_s(self) -> float:
        """Return by how much the clock is behind where it was; 0 as long as that is nothing notable."""
        offset = self._offset
        self._furthest = max(self._furthest, offset)
        behind = self._furthest - offset
        return behind if behind > NOTABLE_S else 0.0
