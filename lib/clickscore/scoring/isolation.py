"""Isolation of failing clicks: bisection finds the clicks on which a model fails, and the rest of the chunk is scored.

A chunk is predicted as a whole. Only when that raises, takes too long or answers in the wrong shape, it is cut in two,
and so on, until single clicks are left that fail. A model that hangs where Python cannot interrupt it takes the worker
with it after a while; ``in_child`` then keeps it in a process of its own.
"""

import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from clickscore.errors import ModelUnavailableError
from clickscore.scoring.outputs import Floats, OutputError
from clickscore.scoring.time_limit import KILL_AFTER, OutOfTimeError, time_limit

PredictRows = Callable[[int, int], Floats]
"""Rows from the first to before the second number, to their predictions: one row each, one column per output."""

MAX_DETAIL = 300
"""Characters of an exception that are kept; the beginning says what is wrong, the rest may be a whole table."""
PATIENCE = 20
"""Times the usual duration that a search for the click to blame waits for a part of the chunk."""
LEAST_SEARCH_S = 0.5
"""Least time that such a part gets: less would take a busy machine for a hanging model."""
MOST_HANGS = 20
"""Time limits that a task may lose to a model that hangs before it gives up; each hanging click costs one or two."""
HANGS = "the model hangs"


class TooManyFailuresError(Exception):
    """Raised when a model fails on more clicks than it may, or more records of a task are rejected than may be."""


class CrashError(Exception):
    """Raised when a prediction in another process has failed, with what it raised there, or has ended the process."""


@dataclass(frozen=True)
class Tolerance:
    """How much may go wrong within a task before the task gives up.

    Attributes:
        time_limit_s: how long one call may take; infinite for a model that is elsewhere and keeps to a deadline.
        count: failures that are always allowed.
        share: failures allowed beyond them, as a share of the clicks.
        slack: clicks that are taken to come yet, so that a bad beginning is not taken for a bad whole.
        hangs: time limits that may be lost to calls that take too long.
        in_child: predict in processes of their own, unless the model is elsewhere.
        rejected_share: share of the records that may be rejected, whatever the reason; judged at the end of the task.
    """

    time_limit_s: float
    count: float
    share: float = 0.0
    slack: int = 0
    hangs: float = MOST_HANGS
    in_child: bool = False
    rejected_share: float = 1.0


@dataclass
class Isolation:
    """Predicts the chunks of a task and finds the clicks that cannot be predicted."""

    tolerance: Tolerance
    rows: int = 0
    failures: int = 0
    lost_s: float = 0.0
    _spent_s: float = 0.0
    _predicted: int = 0
    _last: str = field(default="", repr=False)

    def score(self, predict: PredictRows, rows: int, columns: int) -> tuple[Floats, dict[int, str]]:
        """Predict a chunk.

        Args:
            predict: the model.
            rows: clicks in the chunk.
            columns: numbers that it gives for each.

        Returns:
            The predictions, NaN for clicks that fail, and for each of these by its number what went wrong.

        Raises:
            TooManyFailuresError: if the task has more failures than its tolerance.
            ModelUnavailableError: if the model cannot be asked now.
        """
        self.rows += rows
        values = np.full((rows, columns), np.nan)
        failures: dict[int, str] = {}
        if rows:
            self._search(predict, 0, rows, values, failures)
        self._judge(self.tolerance.slack)
        return values, failures

    def finish(self) -> None:
        """Judge the task as a whole, at its end."""
        self._judge(0)

    def _search(self, predict: PredictRows, low: int, high: int, values: Floats, failures: dict[int, str]) -> None:
        cause = self._attempt(predict, low, high, values)
        if cause is None:
            self._note_numbers(low, high, values, failures)
        elif high - low == 1:
            self._note(low, cause, failures)
        else:
            middle = (low + high) // 2
            self._search(predict, low, middle, values, failures)
            self._search(predict, middle, high, values, failures)

    def _attempt(self, predict: PredictRows, low: int, high: int, values: Floats) -> str | None:
        limit_s, began = self._limit_s(high - low, len(values)), time.monotonic()
        try:
            call = in_child if self.tolerance.in_child and limit_s < np.inf else self._in_time
            values[low:high] = call(predict, low, high, limit_s)
        except OutOfTimeError:
            self.lost_s += time.monotonic() - began
            if self.lost_s > self.tolerance.hangs * self.tolerance.time_limit_s:
                raise TooManyFailuresError(f"{HANGS}: a task has waited {self.lost_s:.1f} s for it") from None
            return f"TimeoutError: no prediction within {limit_s:g} s"
        except ModelUnavailableError:  # no click is to blame
            raise
        except Exception as error:  # whatever else the model raises is the click's fate, not the stream's
            return describe(error)
        self._spent_s += time.monotonic() - began
        self._predicted += high - low
        return None

    def _limit_s(self, rows: int, chunk: int) -> float:
        whole = self.tolerance.time_limit_s
        if rows in (1, chunk) or not self._predicted or whole == np.inf:  # a verdict, no search yet, or no limit
            return whole
        return min(whole, max(LEAST_SEARCH_S, PATIENCE * self._spent_s / self._predicted * rows))

    def _in_time(self, predict: PredictRows, low: int, high: int, limit_s: float) -> Floats:
        with time_limit(limit_s, self.tolerance.time_limit_s):
            return predict(low, high)

    def _note_numbers(self, low: int, high: int, values: Floats, failures: dict[int, str]) -> None:
        part = values[low:high]
        for row in np.flatnonzero(~np.isfinite(part).all(axis=1)).tolist():
            odd = ", ".join(str(number) for number in part[row])
            part[row] = np.nan
            self._note(low + row, f"{OutputError.__name__}: expected a finite number, found {odd}", failures)

    def _note(self, row: int, cause: str, failures: dict[int, str]) -> None:
        failures[row] = cause
        self.failures += 1
        self._last = cause
        self._judge(self.tolerance.slack)

    def _judge(self, slack: int) -> None:
        if self.failures > self.tolerance.count + self.tolerance.share * (self.rows + slack):
            raise TooManyFailuresError(f"{self.failures} of {self.rows} clicks of a task; the last: {self._last}")


def describe(error: BaseException) -> str:
    """Return type and message of an exception, cut, as a text that UTF-8 has bytes for."""
    try:
        words = str(error)
    except Exception as failure:  # to write the message runs code of the model, which may raise anything
        words = f"its message cannot be read ({type(failure).__name__})"
    told = words if isinstance(error, CrashError) else f"{type(error).__name__}: {words}"
    return told[:MAX_DETAIL].encode("utf-8", "backslashreplace").decode()[:MAX_DETAIL]


def in_child(predict: PredictRows, low: int, high: int, seconds: float) -> Floats:
    """PredictRows in a copy of this process, which may do whatever it likes.

    Raises:
        OutOfTimeError: if it takes too long; it is ended then.
        CrashError: if it ends without an answer, or raises.
    """
    context = multiprocessing.get_context("fork")
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_answer, args=(predict, low, high, seconds, writer), daemon=True)
    try:
        answer = reply_of(child, reader, writer, seconds)
    except EOFError:
        raise CrashError(f"ProcessError: the model ended its process (exit code {child.exitcode})") from None
    if isinstance(answer, str):
        raise CrashError(answer)
    found: Floats = answer
    return found


def reply_of(child: BaseProcess, reader: Connection, writer: Connection, seconds: float) -> Any:
    """Start a process and return the one object that it sends to ``writer``; it has ended afterwards in any case.

    Raises:
        OutOfTimeError: if it sends nothing in time.
        EOFError: if it ends without having sent anything; its exit code says why.
    """
    child.start()
    writer.close()
    try:
        if not reader.poll(seconds):
            raise OutOfTimeError
        return reader.recv()
    except EOFError:
        child.join()
        raise
    finally:
        child.kill()
        child.join()
        reader.close()


def _answer(predict: PredictRows, low: int, high: int, seconds: float, writer: Connection) -> None:
    # Spark may end the parent, and nobody would end this process then.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, KILL_AFTER * seconds)
    try:
        answer: Floats | str = predict(low, high)
    except BaseException as error:  # also what the parent would not survive, such as SystemExit
        answer = describe(error)
    writer.send(answer)
