from collections.abc import Iterable

from clickscore.stream.clock import Clock


def looks(walls: Iterable[float]) -> list[float]:
    """What a watch says at each look; the steady clock goes on by a second from one to the next."""
    wall, steady = iter(walls), iter(range(1_000))
    clock = Clock(lambda: next(wall), lambda: next(steady))
    return [clock.set_back_s() for _ in range(3)]


def test_clock_that_goes_on_was_not_set_back() -> None:
    assert looks([100, 101, 102.5, 103]) == [0, 0, 0]


def test_clock_that_was_set_back_stays_behind() -> None:
    assert looks([10_000, 10_001, 6_402, 6_403]) == [0, 3_600, 3_600]


def test_clock_that_was_set_ahead_and_back_again_is_behind_what_was_planned_meanwhile() -> None:
    assert looks([100, 3_701, 102, 103]) == [0, 3_600, 3_600]


def test_small_corrections_are_not_worth_a_word() -> None:
    assert looks([100, 101, 98, 99]) == [0, 0, 0]
