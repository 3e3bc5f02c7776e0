"""Steps of a batch that are tried again where a failure may pass."""

from collections.abc import Callable
from typing import TypeVar

from clickscore.errors import BatchError
from clickscore.retries import STREAM_LIMIT_S, retrying
from clickscore.spark_errors import SPARK_ERRORS, transient_cause

Result = TypeVar("Result")


def persistently(step: Callable[[], Result], tell: Callable[[str], None], limit_s: float = STREAM_LIMIT_S) -> Result:
    """Take a step, again and again as long as its failures are transient.

    Args:
        step: is safe to be taken twice.
        tell: prints a line on the console.
        limit_s: how long it is tried.

    Raises:
        BatchError: if it still fails after that.
    """
    try:
        return retrying(tell, limit_s)(step)
    except SPARK_ERRORS as error:
        if cause := transient_cause(error):
            raise BatchError(
                f"{cause}: still failing after {limit_s:.0f} s. Nothing is lost, and nothing is written twice: fix the "
                f"cause and start again."
            ) from error
        raise
