"""A stream that does a micro-batch when the test says so, and the watch over it."""

import math
import threading
import time
from dataclasses import dataclass

from pyspark.sql.streaming.query import StreamingQuery
from tests.support.waiting import wait_until

from clickscore.monitoring.health import Health
from clickscore.monitoring.lag import StreamWatch


@dataclass
class Watched:
    """A stream over the source of a shop that does a micro-batch when it is told to, and the watch over it."""

    watch: StreamWatch
    health: Health
    query: StreamingQuery
    turn: threading.Semaphore

    def batch(self, number: int) -> float:
        """Let a micro-batch pass, look at the stream then; return the time at which everything before is processed."""
        self.turn.release()
        wait_until(lambda: self._last_batch() == number)
        return self.look()

    def _last_batch(self) -> int | None:
        progress = self.query.lastProgress
        return progress["batchId"] if progress else None

    def look(self) -> float:
        """Let the watch look; return the time at which everything before is processed."""
        self.watch.look(self.query)
        oldest_s = self.health.oldest_s
        return math.nan if oldest_s is None else time.time() - oldest_s
