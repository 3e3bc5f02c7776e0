import argparse
from datetime import datetime, timezone

import pytest

from clickscore.cli import count, utc


def test_time_without_a_zone_is_utc() -> None:
    noon = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    assert utc("2026-03-01T12:00:00") == utc("2026-03-01T13:00:00+01:00") == noon


def test_count_is_a_whole_number_of_one_or_more() -> None:
    assert count("10") == 10
    for text in ("0", "-1", "many"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"expected a whole number of 1 or more, found '{text}'"):
            count(text)


def test_time_that_has_no_year_in_utc_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a time within the years 1 to 9999 of UTC, found 0001-01-01T00"):
        utc("0001-01-01T00:00:00+14:00")
