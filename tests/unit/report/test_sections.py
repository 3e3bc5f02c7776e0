from datetime import datetime, timedelta, timezone

import pytest

from clickscore.report.sections import NOTHING, count, duration, listed, moment, plural, share, unit_of


@pytest.mark.parametrize(("seconds", "text"), [
    (None, NOTHING), (0, "0.0 s"), (119, "119.0 s"), (120, "2.0 min"), (7_200, "2.0 h"), (200_000, "2.3 days"),
    (-7_200, "-2.0 h"),
])  # fmt: skip
def test_duration_is_told_in_the_unit_that_reads_best(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_unit_is_told_with_its_seconds() -> None:
    assert unit_of(300) == (60.0, "min")


@pytest.mark.parametrize(("part", "whole", "text"), [
    (0, 0, "0.0%"), (1, 1, "100.0%"), (1, 3, "33.3%"), (1, 1_000, "0.1%"), (1, 10**6, "0.0001%")
])  # fmt: skip
def test_small_share_does_not_look_like_none(part: int, whole: int, text: str) -> None:
    assert share(part, whole) == text


def test_moment_is_utc() -> None:
    zone = timezone(timedelta(hours=2))
    assert moment(datetime(2026, 3, 1, 1, 2, 3, tzinfo=zone)) == "2026-02-28 23:02:03"
    assert moment(None) == NOTHING


def test_numbers_have_separators_and_nouns() -> None:
    assert (count(1_234_567), count(None)) == ("1,234,567", NOTHING)
    assert [plural(1, "click"), plural(2_000, "click"), plural(0, "micro-batch")] == [
        "1 click", "2,000 clicks", "0 micro-batches",
    ]  # fmt: skip
    assert listed("abc", 2) == "a, b and 1 more"
    assert listed("ab") == "a, b"
