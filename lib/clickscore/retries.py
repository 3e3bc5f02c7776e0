"""Retries: transient failures are retried with exponential backoff and jitter, one console line each.

Transient are a registry or a broker that does not answer, a network or an object store that fails, a full disk, a
Python worker that was killed, and a commit that another writer was faster with. A wrong name, a refused login or a
schema that does not fit stay wrong.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from clickscore.errors import ClickscoreError
from clickscore.spark_errors import SPARK_ERRORS, transient_cause

Result = TypeVar("Result")

START_LIMIT_S = 60.0
"""How long a start is tried: a registry that restarts is back by then, and a wrong host name does not wait long."""
STREAM_LIMIT_S = 300.0
"""How long a running stream is tried without a finished micro-batch; then the supervisor of the job may take over."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""The wait doubles between them; its length is random below that, so that many jobs do not come back at once."""


def retrying(
    tell: Callable[[str], None], limit_s: float, sleep: Callable[[float], None] = time.sleep,
    has_progressed: Callable[[], bool] = lambda: False, failed: Callable[[], None] = lambda: None,
) -> Retrying:  # fmt: skip
    """Return what calls a function again as long as its failures are transient.

    Args:
        tell: prints a line before each wait.
        limit_s: how long failures in a row are tolerated.
        sleep: waits for so many seconds.
        has_progressed: whether something was done since it was last asked; then a failure is the first in a row.
        failed: is called for each failure that is tolerated.
    """

    def begin_anew_after_progress(state: RetryCallState) -> None:
        if has_progressed():
            state.start_time, state.attempt_number = time.monotonic(), 1

    def say(state: RetryCallState) -> None:
        assert state.outcome and state.next_action
        failed()
        cause = transient_cause(state.outcome.exception())
        tell(
            f"{cause}; attempt {state.attempt_number} failed, the next one is in {state.next_action.sleep:.1f} s, "
            f"and after {limit_s:.0f} s of failures the run ends"
        )

    return Retrying(
        retry=retry_if_exception(lambda error: transient_cause(error) is not None),
        wait=wait_random_exponential(FIRST_WAIT_S, LONGEST_WAIT_S),
        stop=stop_after_delay(limit_s),
        after=begin_anew_after_progress,
        before_sleep=say,
        sleep=sleep,
        reraise=True,
    )


def persistently(
    step: Callable[[], Result], tell: Callable[[str], None], error: type[ClickscoreError], limit_s: float,
    remedy: str = "fix the cause",
) -> Result:  # fmt: skip
    """Take a step of a job, again and again as long as its failures are transient.

    Args:
        step: is safe to be taken twice.
        tell: prints a line before each wait.
        error: what the job raises.
        limit_s: how long it is tried.
        remedy: what to do before the job is started again.

    Raises:
        ClickscoreError: of that class, if it still fails after that.
    """
    try:
        return retrying(tell, limit_s)(step)
    except SPARK_ERRORS as failure:
        if cause := transient_cause(failure):
            raise error(
                f"{cause}: still failing after {limit_s:.0f} s. Nothing is lost, and nothing is written twice: "
                f"{remedy} and start again."
            ) from failure
        raise
