"""Supervision of a running query: ends it on a signal, for another run, or when the clock was set back."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pyspark.sql.streaming.query import StreamingQuery

from clickscore.storage.fence import Fence
from clickscore.stream.clock import Clock

POLL_SECONDS = 1
"""How often the main thread looks whether it has been asked to stop."""
FENCE_CHECK_S = 10
"""How often a run looks whether another one has taken the stream over; two at once only cost each other time."""


@dataclass
class Supervision:
    """Waits for the end of a query, and brings it about where the run has to stop or the clock was set back.

    Attributes:
        fence: of the run.
        signals: holds something as soon as the run is asked to stop.
        tell: prints a line on the console.
        look: sees the query every second.
        clock: of the machine, since the query was started.
    """

    fence: Fence
    signals: Sequence[int]
    tell: Callable[[str], None]
    look: Callable[[StreamingQuery], None]
    clock: Clock = field(default_factory=Clock)

    def await_end(self, query: StreamingQuery, stopping: threading.Event) -> bool:
        """Wait for the end of a query; tell whether it was ended because the clock was set back.

        Args:
            query: is running.
            stopping: is set for the micro-batches, of which none may begin any more.

        Raises:
            StreamError: if another run has taken the stream over.
            StreamingQueryException: if the query fails.
        """
        checked, set_back_s = time.monotonic(), 0.0
        while not query.awaitTermination(POLL_SECONDS):
            if time.monotonic() - checked > FENCE_CHECK_S:
                checked = time.monotonic()
                self.fence.check()
            if not set_back_s and (set_back_s := self.clock.set_back_s()):
                # Spark waits for the time of day of the next micro-batch.
                self.tell(f"the clock was set back by {set_back_s:,.0f} s; the stream continues with the new time")
            if self.signals or set_back_s:
                # The micro-batch in flight is finished, any later one refuses to begin; between two, the query can
                # stop.
                stopping.set()
                if not query.status["isTriggerActive"]:
                    query.stop()
            self.look(query)
        return set_back_s > 0
