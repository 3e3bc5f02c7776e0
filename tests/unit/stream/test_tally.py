import pytest

from clickscore.stream.tally import ALWAYS_ALLOWED, Tally


def test_a_few_failures_are_always_allowed_but_not_again_and_again() -> None:
    tally = Tally(share=0.01)
    assert tally.allowed(5) == pytest.approx(ALWAYS_ALLOWED + 0.05)
    for _ in range(3):
        tally.add(failed=3, clicks=5)
    assert tally.allowed(5) == pytest.approx(ALWAYS_ALLOWED - 9 + 0.15 + 0.05)
    assert tally.allowed(5) < 3


def test_good_time_heals_but_is_no_credit() -> None:
    tally = Tally(share=0.01)
    tally.add(failed=10, clicks=100)
    tally.add(failed=0, clicks=1_000_000)
    assert tally.allowed(100) == ALWAYS_ALLOWED + 1
