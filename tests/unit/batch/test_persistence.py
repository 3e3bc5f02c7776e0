import pytest
from pyspark.errors import PySparkException

from clickscore.batch.persistence import persistently
from clickscore.errors import BatchError

FULL = "java.io.IOException: No space left on device"


def failing(text: str) -> object:
    raise PySparkException(text)


def test_step_returns_what_it_has_found() -> None:
    assert persistently(lambda: 5, print) == 5


def test_failure_that_does_not_pass_ends_the_batch_and_says_that_nothing_is_lost() -> None:
    with pytest.raises(BatchError, match=r"still failing after 0 s. Nothing is lost.* fix the cause and start again"):
        persistently(lambda: failing(FULL), print, limit_s=0)


def test_failure_that_stays_is_raised_as_it_is() -> None:
    with pytest.raises(PySparkException, match="no such column"):
        persistently(lambda: failing("no such column"), print, limit_s=0)
