"""Models that misbehave on some of a hundred clicks: these are found, the others keep their scores."""

import contextlib
import os
import re
import signal
import time
from collections.abc import Callable

import numpy as np
import pytest

from clickscore.errors import ModelUnavailableError
from clickscore.scoring.isolation import Isolation, Tolerance, TooManyFailuresError, in_child
from clickscore.scoring.outputs import Floats, OutputError

CLICKS = np.arange(100.0)
LENIENT = Tolerance(time_limit_s=0.3, count=10)


class Model:
    """Predicts each click's number; ``spoil`` may do anything about a chunk before."""

    def __init__(self, spoil: Callable[[Floats], object]) -> None:
        self.spoil, self.calls = spoil, 0

    def __call__(self, low: int, high: int) -> Floats:
        self.calls += 1
        clicks = CLICKS[low:high].copy()
        changed = self.spoil(clicks)
        return (changed if isinstance(changed, np.ndarray) else clicks).reshape(-1, 1)


def found(model: Model, tolerance: Tolerance = LENIENT) -> dict[int, str]:
    values, failures = Isolation(tolerance).score(model, len(CLICKS), 1)
    good = [row for row in range(len(CLICKS)) if row not in failures]
    assert values[good, 0].tolist() == CLICKS[good].tolist()
    assert np.isnan(values[list(failures), 0]).all()
    return failures


def raise_at(*poison: int) -> Callable[[Floats], None]:
    def spoil(clicks: Floats) -> None:
        for number in poison:
            if number in clicks:
                raise ValueError(f"no {number}")

    return spoil


def test_good_chunk_is_predicted_in_one_call() -> None:
    model = Model(lambda clicks: None)
    assert found(model) == {}
    assert model.calls == 1


def test_clicks_on_which_it_raises_are_found() -> None:
    model = Model(raise_at(3, 77))
    assert found(model) == {3: "ValueError: no 3", 77: "ValueError: no 77"}
    assert model.calls < 40


class SpeechlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize(("error", "detail"), [
    (ValueError("half a character: \ud800"), "ValueError: half a character: \\ud800"),
    (ValueError("\udcff" * 10_000), "ValueError: " + ("\\udcff" * 48)),
    (SpeechlessError(), "SpeechlessError: its message cannot be read (RuntimeError)"),
])  # fmt: skip
def test_words_of_an_error_become_a_text_that_a_table_takes(error: Exception, detail: str) -> None:
    def fail(clicks: Floats) -> None:
        if 3 in clicks:
            raise error

    assert found(Model(fail)) == {3: detail}


def test_clicks_without_a_finite_score_are_found_without_another_call() -> None:
    def spoil(clicks: Floats) -> None:
        clicks[clicks == 5] = np.inf
        clicks[clicks == 6] = np.nan

    model = Model(spoil)
    assert found(model) == {
        5: "OutputError: expected a finite number, found inf",
        6: "OutputError: expected a finite number, found nan",
    }
    assert model.calls == 1


def test_huge_but_finite_scores_are_scores() -> None:
    values, failures = Isolation(LENIENT).score(lambda low, high: np.full((high - low, 1), 1e308), 100, 1)
    assert failures == {}
    assert (values == 1e308).all()


def test_click_that_breaks_the_shape_is_found() -> None:
    def spoil(clicks: Floats) -> None:
        if 42 in clicks:
            raise OutputError("wrong shape")

    assert found(Model(spoil)) == {42: "OutputError: wrong shape"}


def test_click_on_which_it_hangs_is_found() -> None:
    def spoil(clicks: Floats) -> None:
        while 50 in clicks:
            with contextlib.suppress(Exception):  # a model that shrugs everything off
                time.sleep(0.01)

    assert found(Model(spoil)) == {50: "TimeoutError: no prediction within 0.3 s"}


def test_slow_model_is_given_smaller_parts_instead_of_being_blamed() -> None:
    assert found(Model(lambda clicks: time.sleep(0.01 * len(clicks)))) == {}


def test_whole_chunks_have_the_whole_limit_however_fast_the_ones_before_were() -> None:
    isolation = Isolation(Tolerance(time_limit_s=2, count=0, hangs=0))
    isolation.score(Model(lambda clicks: None), 100, 1)
    values, failures = isolation.score(Model(lambda clicks: time.sleep(0.8)), 100, 1)
    assert (len(values), failures) == (100, {})


def test_model_that_hangs_all_the_time_is_given_up() -> None:
    isolation = Isolation(Tolerance(time_limit_s=0.05, count=1_000, hangs=3))
    began = time.monotonic()
    with pytest.raises(TooManyFailuresError, match="the model hangs"):
        isolation.score(Model(lambda clicks: time.sleep(60)), 100, 1)
    assert time.monotonic() - began < 5


def test_more_failures_than_tolerated_end_the_search() -> None:
    model = Model(raise_at(*range(100)))
    with pytest.raises(TooManyFailuresError, match=r"11 of 100 clicks of a task; the last: ValueError: no 10"):
        Isolation(LENIENT).score(model, 100, 1)
    assert model.calls < 60


def test_share_is_judged_at_the_end_of_the_task() -> None:
    isolation = Isolation(Tolerance(time_limit_s=1, count=0, share=0.01, slack=1_000))
    isolation.score(Model(raise_at(1, 2)), 100, 1)
    with pytest.raises(TooManyFailuresError, match="2 of 100 clicks"):
        isolation.finish()
    isolation.score(Model(lambda clicks: None), 100, 1)
    with pytest.raises(TooManyFailuresError):
        Isolation(Tolerance(time_limit_s=1, count=0, share=0.01, slack=100)).score(Model(raise_at(1, 2, 3)), 100, 1)


def test_nothing_to_predict_is_no_call() -> None:
    model = Model(lambda clicks: None)
    values, failures = Isolation(LENIENT).score(model, 0, 1)
    assert (values.shape, failures, model.calls) == ((0, 1), {}, 0)


@pytest.mark.parametrize(("deed", "detail"), [
    (lambda: os._exit(3), r"ProcessError: the model ended its process \(exit code 3\)"),
    (lambda: os.kill(os.getpid(), signal.SIGKILL), r"ProcessError: .*exit code -9"),
    (lambda: raise_at(60)(CLICKS), "ValueError: no 60"),
])  # fmt: skip
def test_click_that_ends_the_process_is_found_in_a_process_of_its_own(deed: Callable[[], None], detail: str) -> None:
    def spoil(clicks: Floats) -> None:
        if 60 in clicks:
            deed()

    failures = found(Model(spoil), Tolerance(time_limit_s=5, count=10, in_child=True))
    assert list(failures) == [60]
    assert re.search(detail, failures[60])


def test_hanging_child_is_ended() -> None:
    def spoil(clicks: Floats) -> None:
        if 7 in clicks:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            time.sleep(600)

    failures = found(Model(spoil), Tolerance(time_limit_s=0.3, count=10, in_child=True))
    assert failures == {7: "TimeoutError: no prediction within 0.3 s"}


def test_child_gives_the_same_numbers() -> None:
    assert (in_child(Model(lambda clicks: None), 10, 20, 5.0) == CLICKS[10:20].reshape(-1, 1)).all()


def test_model_that_is_unavailable_ends_the_chunk_and_blames_no_click() -> None:
    def go_away(_: Floats) -> None:
        raise ModelUnavailableError("the endpoint is away")

    model = Model(go_away)
    with pytest.raises(ModelUnavailableError):
        found(model)
    assert model.calls == 1


def test_model_that_is_elsewhere_is_neither_interrupted_nor_asked_in_a_child() -> None:
    # A part of a search would otherwise have half a second.
    elsewhere = Tolerance(time_limit_s=np.inf, count=10, in_child=True)

    def take_long_over_a_half(clicks: Floats) -> None:
        time.sleep(0.7 if len(clicks) == 50 else 0)
        raise_at(61)(clicks)

    model = Model(take_long_over_a_half)
    assert found(model, elsewhere) == {61: "ValueError: no 61"}
    assert model.calls > 1  # a copy of the process would not count them
