"""Retries: what may pass by itself is tried again for a while, with a line for a person each time; all else stops.

Transient are a registry or a broker that does not answer, a network or an object store that fails, a full disk, a
Python worker that was killed, and a commit that another writer was faster with. A wrong name, a refused login or a
schema that does not fit stay wrong.
"""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

from clickscore.errors import ModelUnavailableError, SourceUnavailableError, WorkerLostError, gist

START_LIMIT_S = 60.0
"""How long a start is tried: a registry that restarts is back by then, and a wrong host name is told soon enough."""
STREAM_LIMIT_S = 300.0
"""How long a running stream is tried without a finished micro-batch; then the supervisor of the job may take over."""
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
"""The wait doubles between them; its length is random below that, so that many jobs do not come back at once."""

_CLASSES = re.compile(
    r"io\.delta\.exceptions\.\w+|org\.apache\.spark\.sql\.delta\.\w*Concurrent\w+"
    r"|org\.apache\.kafka\.common\.errors\.RetriableException"
    r"|java\.net\.(?:ConnectException|NoRouteToHostException|SocketException|SocketTimeoutException)"
    r"|java\.util\.concurrent\.TimeoutException"
)
"""Java classes of failures that pass, or of their parents."""
_TEXTS = re.compile(
    r"No space left on device|Disk quota exceeded|Read-only file system|Stale file handle|Connection reset"
    r"|Connection refused|Broken pipe|timed out|Service Unavailable|SlowDown|Slow Down|Too Many Requests"
    r"|status code:? (?:429|50[0234])|CONCURRENT_STREAM_LOG_UPDATE|Concurrent update to the log"
    r"|Mkdirs failed to create|org\.apache\.kafka\.common\.errors\.(?:Timeout|Disconnect|Network)Exception"
    r"|ExecutorLostFailure|io\.delta\.exceptions\.\w+|DELTA_(?:CONCURRENT_\w+|METADATA_CHANGED|PROTOCOL_CHANGED)",
    re.IGNORECASE,
)
"""What file systems, stores and brokers say of them, where the failure of a task has only its text left."""


def transient_cause(error: BaseException | None) -> str | None:
    """Return what has failed, in one line, if trying again may help."""
    if isinstance(error, ModelUnavailableError | SourceUnavailableError | WorkerLostError):
        return gist(error)
    if error and type(error).__module__.startswith("delta.exceptions."):  # they know nothing of their Java class
        return f"{type(error).__name__}: {gist(error)}"
    if not isinstance(error, PySparkException | Py4JJavaError):
        return None
    for java_error in _java_causes(error):
        if any(_CLASSES.fullmatch(name) for name in _class_names(java_error)):
            return f"{java_error.getClass().getSimpleName()}: {_first_line(java_error.getMessage())}"
    found = _TEXTS.search(str(error))
    return _line_of(str(error), found.start()) if found else None


def _java_causes(error: Any) -> Iterator[Any]:
    cause = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
    while cause is not None:
        yield cause
        cause = cause.getCause()


def _class_names(java_error: Any) -> Iterator[str]:
    java_class = java_error.getClass()
    while java_class is not None:
        yield java_class.getName()
        java_class = java_class.getSuperclass()


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def _line_of(text: str, position: int) -> str:
    begin, end = text.rfind("\n", 0, position) + 1, text.find("\n", position)
    return text[begin : end if end >= 0 else len(text)].strip()


def retrying(
    tell: Callable[[str], None], limit_s: float, sleep: Callable[[float], None] = time.sleep,
    has_progressed: Callable[[], bool] = lambda: False, failed: Callable[[], None] = lambda: None,
) -> Retrying:  # fmt: skip
    """Return what calls a function again as long as its failures are transient.

    Args:
        tell: tells a person, once before each wait.
        limit_s: how long failures in a row are put up with.
        sleep: waits for so many seconds.
        has_progressed: whether something was done since it was last asked; then a failure is the first in a row.
        failed: is told about each failure that is put up with.
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
