import time

import pytest
from pyspark.errors import PySparkException

from clickscore.errors import BatchError, ModelNotFoundError, ReplayError, SourceUnavailableError
from clickscore.retries import persistently, retrying

FULL = PySparkException("java.io.IOException: No space left on device")


class Flaky:
    """Fails so many times, and then does its work."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error, self.calls = failures, error, 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return "done"


def test_transient_failure_is_tried_again_with_a_line_each_time() -> None:
    said: list[str] = []
    waits: list[float] = []
    failed: list[int] = []
    flaky = Flaky(3, SourceUnavailableError("the broker is away"))
    done = retrying(said.append, 60, waits.append, failed=lambda: failed.append(1))(flaky)
    assert done == "done"
    assert len(said) == len(waits) == len(failed) == 3
    assert said[1].startswith("the broker is away; attempt 2 failed, the next one is in ")
    assert said[1].split("in ")[1].split(" s")[0] == f"{waits[1]:.1f}"


def test_wait_is_random_below_a_limit_that_doubles_up_to_half_a_minute() -> None:
    waits: list[list[float]] = []
    for _ in range(100):  # the longest of 100 random waits is in the upper half, but once in 2^100 times
        waits.append([])
        retrying(lambda _: None, 60, waits[-1].append)(Flaky(6, SourceUnavailableError("the broker is away")))
    for limit, found in zip((1, 2, 4, 8, 16, 30), zip(*waits, strict=True), strict=True):
        assert limit / 2 < max(found) <= limit
        assert min(found) < limit / 2


def test_failure_that_stays_is_raised_at_once() -> None:
    flaky = Flaky(1, ModelNotFoundError("no such model"))
    with pytest.raises(ModelNotFoundError):
        retrying(print, 60, pytest.fail)(flaky)
    assert flaky.calls == 1


def test_nothing_is_tried_for_ever() -> None:
    flaky = Flaky(1_000, SourceUnavailableError("the broker is away"))
    with pytest.raises(SourceUnavailableError):
        retrying(lambda _: None, 0.05, lambda _: time.sleep(0.001))(flaky)
    assert 1 < flaky.calls < 1_000


def test_progress_begins_the_count_anew() -> None:
    said: list[str] = []
    flaky = Flaky(3, SourceUnavailableError("the broker is away"))
    progress = iter([False, True, False])
    retrying(said.append, 60, lambda _: None, has_progressed=lambda: next(progress))(flaky)
    assert [line.split(";")[1].split(",")[0] for line in said] == [
        " attempt 1 failed", " attempt 1 failed", " attempt 2 failed"]  # fmt: skip


def test_step_of_a_job_returns_what_it_has_found() -> None:
    assert persistently(Flaky(0, FULL), print, BatchError, 0) == "done"


def test_failure_that_does_not_pass_ends_the_job_and_says_that_nothing_is_lost() -> None:
    with pytest.raises(BatchError, match=r"still failing after 0 s. Nothing is lost.* fix the cause and start again"):
        persistently(Flaky(9, FULL), print, BatchError, 0)
    with pytest.raises(ReplayError, match="written twice: wait and start again"):
        persistently(Flaky(9, FULL), print, ReplayError, 0, "wait")


def test_failure_that_stays_is_raised_as_it_is() -> None:
    with pytest.raises(PySparkException, match="no such column"):
        persistently(Flaky(9, PySparkException("no such column")), print, BatchError, 0)
