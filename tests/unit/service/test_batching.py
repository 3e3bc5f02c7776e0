import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager

import pytest

from clickscore.service.batching import Batcher, OverloadedError


def upper(records: list[bytes]) -> Sequence[str]:
    if b"bad" in records:
        raise ValueError("what is this?")
    return [record.decode().upper() for record in records]


class Gated:
    """Scores when the gate is open, and keeps the sizes of its calls."""

    def __init__(self) -> None:
        self.gate, self.sizes = threading.Event(), list[int]()

    def __call__(self, records: list[bytes]) -> Sequence[str]:
        self.sizes.append(len(records))
        self.gate.wait()
        return upper(records)


@contextmanager
def working(batcher: Batcher[str]):
    thread = threading.Thread(target=batcher.work)
    thread.start()
    try:
        yield
    finally:
        batcher.stop()
        thread.join(10)
    assert not thread.is_alive()


def test_requests_get_their_own_outcomes() -> None:
    async def ask(batcher: Batcher[str]) -> list[Sequence[str]]:
        return await asyncio.gather(batcher.score([b"a"]), batcher.score([b"b", b"c"]), batcher.score([b"d"]))

    batcher = Batcher(upper, upper, most_records=10, most_waiting=100)
    with working(batcher):
        assert asyncio.run(ask(batcher)) == [["A"], ["B", "C"], ["D"]]
    assert batcher.waiting == 0


def test_what_arrives_during_a_call_shares_the_next_one() -> None:
    scorer = Gated()

    async def ask(batcher: Batcher[str]) -> None:
        first = asyncio.ensure_future(batcher.score([b"first"]))
        await until(lambda: scorer.sizes == [1])
        others = [asyncio.ensure_future(batcher.score([b"x"])) for _ in range(50)]
        await until(lambda: batcher.waiting == 51)
        scorer.gate.set()
        await asyncio.gather(first, *others)

    batcher = Batcher(scorer, scorer, most_records=100, most_waiting=100)
    with working(batcher):
        asyncio.run(ask(batcher))
    assert (scorer.sizes, batcher.calls) == ([1, 50], 2)


def test_call_has_no_more_records_than_allowed_unless_one_request_has() -> None:
    scorer = Gated()

    async def ask(batcher: Batcher[str]) -> None:
        first = asyncio.ensure_future(batcher.score([b"first"]))
        await until(lambda: scorer.sizes == [1])
        others = [asyncio.ensure_future(batcher.score([b"x"] * size)) for size in (2, 2, 2, 9, 1)]
        await until(lambda: batcher.waiting == 17)
        scorer.gate.set()
        await asyncio.gather(first, *others)

    with working(batcher := Batcher(scorer, scorer, most_records=4, most_waiting=100)):
        asyncio.run(ask(batcher))
    assert scorer.sizes == [1, 4, 2, 9, 1]


def test_failure_reaches_its_request_and_not_those_who_share_the_call() -> None:
    scorer = Gated()

    async def ask(batcher: Batcher[str]) -> None:
        first = asyncio.ensure_future(batcher.score([b"first"]))
        await until(lambda: scorer.sizes == [1])
        others = [asyncio.ensure_future(batcher.score(records)) for records in ([b"a"], [b"bad"], [b"b", b"c"])]
        await until(lambda: batcher.waiting == 5)
        scorer.gate.set()
        answers = await asyncio.gather(first, *others, return_exceptions=True)
        assert [str(answer) for answer in answers] == ["['FIRST']", "['A']", "what is this?", "['B', 'C']"]

    with working(batcher := Batcher(scorer, scorer, most_records=4, most_waiting=100)):
        asyncio.run(ask(batcher))
    assert scorer.sizes == [1, 4, 1, 1, 2]


def test_too_many_waiting_records_are_refused_but_never_a_request_alone() -> None:
    scorer = Gated()

    async def ask(batcher: Batcher[str]) -> None:
        large = asyncio.ensure_future(batcher.score([b"x"] * 20))
        await until(lambda: batcher.waiting == 20)
        with pytest.raises(OverloadedError):
            await batcher.score([b"one more"])
        scorer.gate.set()
        assert len(await large) == 20

    with working(batcher := Batcher(scorer, scorer, most_records=4, most_waiting=10)):
        asyncio.run(ask(batcher))


def test_request_that_was_given_up_is_not_scored() -> None:
    scorer = Gated()

    async def ask(batcher: Batcher[str]) -> None:
        first = asyncio.ensure_future(batcher.score([b"first"]))
        await until(lambda: scorer.sizes == [1])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.score([b"x"] * 3), 0.05)
        scorer.gate.set()
        await first
        assert await batcher.score([b"last"]) == ["LAST"]

    with working(batcher := Batcher(scorer, scorer, most_records=10, most_waiting=100)):
        asyncio.run(ask(batcher))
    assert scorer.sizes == [1, 1]
    assert batcher.waiting == 0


def test_stop_scores_what_was_accepted_before() -> None:
    scorer = Gated()

    async def ask(batcher: Batcher[str]) -> list[Sequence[str]]:
        asked = [asyncio.ensure_future(batcher.score([b"a"])) for _ in range(20)]
        await until(lambda: batcher.waiting == 20)
        batcher.stop()
        scorer.gate.set()
        return await asyncio.gather(*asked)

    with working(batcher := Batcher(scorer, scorer, most_records=3, most_waiting=100)):
        assert asyncio.run(ask(batcher)) == [["A"]] * 20


async def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)
