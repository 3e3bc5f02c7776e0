"""Lineage: tells a server of OpenLineage about each finished micro-batch, aside of the stream.

Spark's own integrations see that a query runs, and not what happens within ``foreachBatch``. Nothing waits for the
server: events wait in a queue, and are dropped with one warning where it does not take them.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from queue import Empty, Full, Queue
from typing import Any

from clickscore.config.lineage import Lineage
from clickscore.console import counted
from clickscore.errors import gist
from clickscore.monitoring.lineage_event import LineageJob, events
from clickscore.monitoring.lineage_transport import connect
from clickscore.monitoring.report import Report
from clickscore.sources.records import BatchInput

MOST_WAITING = 1_000
"""Micro-batches whose events may wait for a server that is slow or away; more would cost memory."""
LAST_WAIT_S = 10.0
"""How long the end of a run waits for what is still to be sent."""
_NAP_S = 0.2


class LineageSender:
    """Sends the events of finished micro-batches from a thread of its own."""

    def __init__(
        self, transport: Any, url: str, job: LineageJob,
        inputs_of: Callable[[int], Sequence[BatchInput]], tell: Callable[[str], None],
    ) -> None:  # fmt: skip
        """Send nothing yet.

        Args:
            transport: sends an event.
            url: address of the server, for messages.
            job: the stream.
            inputs_of: says what a micro-batch has read.
            tell: prints a line on the console.
        """
        self._transport, self._url, self._job, self._inputs_of, self._tell = transport, url, job, inputs_of, tell
        self._waiting: Queue[tuple[Report, datetime]] = Queue(MOST_WAITING)
        self._closing, self._lost = threading.Event(), 0
        self._thread = threading.Thread(target=self._send_all, name="lineage", daemon=True)

    def report(self, done: Report) -> None:
        """Let the events of a micro-batch that is just done be sent; returns at once."""
        try:
            self._waiting.put_nowait((done, datetime.now(timezone.utc)))
        except Full:
            self._lose("it is too slow")

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what waits, for some seconds, and end; tell how many micro-batches the server has not heard of."""
        self._closing.set()
        self._thread.join(LAST_WAIT_S)
        lost = self._lost + self._waiting.qsize()
        if lost:
            self._tell(f"lineage: {self._url} has not been told of {counted(lost, 'micro-batch', 'micro-batches')}; "
                       f"the clicks are scored")  # fmt: skip

    def _send_all(self) -> None:
        while True:
            try:
                done, ended = self._waiting.get(timeout=_NAP_S)
            except Empty:
                if self._closing.is_set():
                    return
                continue
            try:
                for event in events(self._job, done, self._inputs_of(done.batch_id), ended):
                    self._transport.emit(event)
            except Exception as error:  # else the thread would end, and be silent about all later ones
                self._lose(gist(error))

    def _lose(self, why: str) -> None:
        self._lost += 1
        if self._lost == 1:
            self._tell(
                f"lineage: {self._url} does not take events: {why} The stream goes on without lineage; check "
                f"lineage.url and lineage.token"
            )


@contextmanager
def sending(
    lineage: Lineage, job: LineageJob, inputs_of: Callable[[int], Sequence[BatchInput]], tell: Callable[[str], None]
) -> Iterator[LineageSender]:
    """Send events while the block runs.

    Args:
        lineage: where they go.
        job: the stream.
        inputs_of: says what a micro-batch has read.
        tell: prints a line on the console.

    Raises:
        ConfigError: if the token cannot be read.
    """
    sender = LineageSender(connect(lineage), lineage.url, job, inputs_of, tell)
    sender.start()
    try:
        yield sender
    finally:
        sender.close()
