import signal
import time

import pytest

from clickscore.scoring.time_limit import OutOfTimeError, time_limit


def test_code_that_takes_too_long_is_interrupted_whatever_it_catches() -> None:
    began = time.monotonic()
    with pytest.raises(OutOfTimeError), time_limit(0.1, 60):
        while True:
            try:
                time.sleep(60)
            except Exception:  # as models do
                continue
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("seconds", [30.0, float("inf")])
def test_no_alarm_is_left_behind(seconds: float) -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(seconds, 30):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before
