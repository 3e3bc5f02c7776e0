import pytest

from clickscore.report.periods import MOST_PERIODS, WIDTHS, iso, label, name_of, utc, width_for


@pytest.mark.parametrize(("seconds", "name"), [
    (0, "10 seconds"), (600, "10 seconds"), (601, "minute"), (86_400, "hour"), (60 * 86_400, "day"), (1e12, "52 weeks"),
])  # fmt: skip
def test_width_is_the_narrowest_that_fits_on_a_chart(seconds: float, name: str) -> None:
    assert name_of(width_for(seconds)) == name


def test_no_more_periods_than_a_chart_shows() -> None:
    assert all(seconds / width_for(seconds) <= MOST_PERIODS for seconds in range(0, WIDTHS[-1] * MOST_PERIODS, 10**6))


@pytest.mark.parametrize(("width", "expected"), [
    (86_400, "1970-01-02"), (3_600, "1970-01-02 00:00"), (10, "1970-01-02 00:00:00")
])  # fmt: skip
def test_period_is_named_as_exactly_as_it_is_wide(width: int, expected: str) -> None:
    assert label(86_400, width) == expected


def test_times_are_utc() -> None:
    assert iso(0) == utc(0).isoformat() == "1970-01-01T00:00:00+00:00"
