"""Requests that arrive together share one call of the scorer: its price for one click and for a hundred is the same.

No request waits for others: while the scorer works, those that arrive are collected, and it takes all of them next.
Where a shared call fails, each of its requests is scored alone, and answered as soon as it is: the fault of one click,
such as a model that hangs on it, must not use up the time of all. The scorer runs in one thread, which may be the main
thread, where a model that hangs can be interrupted.
"""

import asyncio
import queue
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Outcome = TypeVar("Outcome")

Score = Callable[[list[bytes]], Sequence[Outcome]]
"""Raw records to their outcomes, in the same order."""


class OverloadedError(Exception):
    """Raised when so many records wait already that another request would time out."""


@dataclass(frozen=True)
class _Request(Generic[Outcome]):
    records: list[bytes]
    answer: "asyncio.Future[Sequence[Outcome]]"
    loop: asyncio.AbstractEventLoop

    def resolve(self, outcomes: Sequence[Outcome]) -> None:
        self._tell(lambda: self.answer.set_result(outcomes))

    def fail(self, error: BaseException) -> None:
        self._tell(lambda: self.answer.set_exception(error))

    def _tell(self, settle: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: the server has given up on its last requests
            self.loop.call_soon_threadsafe(lambda: None if self.answer.done() else settle())


class Batcher(Generic[Outcome]):
    """Collects the records of concurrent requests and scores them in one thread.

    Attributes:
        waiting: records whose requests wait for an answer.
        calls: calls of the scorer so far.
    """

    def __init__(
        self, score: "Score[Outcome]", score_shared: "Score[Outcome]", most_records: int, most_waiting: int
    ) -> None:
        """Begin with nothing.

        Args:
            score: scores the records of one request; a failure is the failure of this request.
            score_shared: scores those of several; after a failure, each is scored alone.
            most_records: most records in one call; a request with more is a call of its own.
            most_waiting: most records that may wait.
        """
        self._score, self._score_shared = score, score_shared
        self._most_records, self._most_waiting = most_records, most_waiting
        self._requests: queue.SimpleQueue[_Request[Outcome] | None] = queue.SimpleQueue()
        self.waiting = self.calls = 0

    async def score(self, records: list[bytes]) -> Sequence[Outcome]:
        """Return the outcomes of the records of one request; runs in the event loop.

        Raises:
            OverloadedError: if too many records wait already.
        """
        if self.waiting + len(records) > self._most_waiting and self.waiting:
            raise OverloadedError
        self.waiting += len(records)
        loop = asyncio.get_running_loop()
        request = _Request(records, loop.create_future(), loop)
        self._requests.put(request)
        try:
            return await request.answer
        finally:
            self.waiting -= len(records)

    def work(self) -> None:
        """Score what comes, until ``stop``; what was accepted before is scored first."""
        held: _Request[Outcome] | None = None
        while True:
            first = held or self._requests.get()
            held = None
            if first is None:
                return
            requests, count = [first], len(first.records)
            while count < self._most_records and not self._requests.empty():
                request = self._requests.get()
                if request is None:  # what is before it is still to be scored
                    self._requests.put(None)
                    break
                if count + len(request.records) > self._most_records:
                    held = request
                    break
                requests.append(request)
                count += len(request.records)
            self._answer(requests)

    def stop(self) -> None:
        """Let ``work`` return when it has scored what is waiting."""
        self._requests.put(None)

    def _answer(self, requests: "list[_Request[Outcome]]") -> None:
        wanted = [request for request in requests if not request.answer.cancelled()]
        if not wanted:
            return
        self.calls += 1
        is_shared = len(wanted) > 1
        score = self._score_shared if is_shared else self._score
        try:
            outcomes = score([record for request in wanted for record in request.records])
        except Exception as error:  # whatever it is, the thread goes on: scored alone, or answered with 500
            if is_shared:
                for request in wanted:
                    self._answer([request])
            else:
                wanted[0].fail(error)
            return
        begin = 0
        for request in wanted:
            end = begin + len(request.records)
            request.resolve(outcomes[begin:end])
            begin = end
