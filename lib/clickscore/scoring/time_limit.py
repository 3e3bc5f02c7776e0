"""The time that code of somebody else may take: it is interrupted then, or its process is ended."""

import faulthandler
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

KILL_AFTER = 2
"""Time limits after which a process is ended whose code cannot be interrupted."""


class OutOfTimeError(BaseException):
    """Raised into code that takes too long; none of its ``except Exception`` stops it."""


@contextmanager
def time_limit(seconds: float, hard: float) -> Iterator[None]:
    """Interrupt what runs longer; end the process where Python cannot interrupt it, after a few times ``hard``.

    Raises:
        OutOfTimeError: into the code that runs too long.
    """
    if seconds == np.inf or threading.current_thread() is not threading.main_thread():  # signals reach that one only
        yield
        return

    is_running = True

    def interrupt(*_: object) -> None:
        if is_running:
            raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, interrupt)
    # This watch is a thread of its own without Python: it also ends a model that never lets go of the interpreter.
    faulthandler.dump_traceback_later(seconds + KILL_AFTER * hard, exit=True, file=2)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        try:
            yield
        finally:
            is_running = False
    finally:  # a signal between the last line of the prediction and the first of the clean-up must not skip this
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
