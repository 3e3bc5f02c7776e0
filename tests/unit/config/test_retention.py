"""How long rows are kept: what fits together, and what would be too short for the rest of the run."""

from typing import Any

import pytest
from pydantic import ValidationError

from clickscore.config.deduplicate import Deduplicate
from clickscore.config.outcome import Outcome
from clickscore.config.retention import Retention

HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def retention(**intervals: Any) -> Retention:
    return Retention.model_validate(intervals)


def outcome(**ends: Any) -> Outcome:
    return Outcome.model_validate({"success": "price > 150", "unit": "visitor", **ends})


def test_tables_that_are_not_named_keep_their_rows() -> None:
    assert retention(scored="400 days").intervals == {"scored": 400 * DAY_MS}
    every = retention(scored="400 days", rejected="90 days", outcomes="400 days")
    assert every.intervals == {"scored": 400 * DAY_MS, "rejected": 90 * DAY_MS, "outcomes": 400 * DAY_MS}


@pytest.mark.parametrize(
    ("intervals", "told"),
    [
        ({}, "expected one of scored, rejected and outcomes"),
        ({"outcomes": "90 days"}, "found 90 days with scored: no limit"),
        ({"outcomes": "90 days", "scored": "91 days"}, "found 90 days with scored: 91 days"),
    ],
)
def test_outcomes_are_kept_as_long_as_the_clicks_that_they_are_made_of(intervals: Any, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        retention(**intervals)


def test_interval_that_is_longer_than_every_window_is_long_enough() -> None:
    whole = retention(scored="25 hours", rejected="11 minutes", outcomes="25 hours")
    windows = Deduplicate.model_validate({"window": "10 minutes"}), outcome(window="24 hours")
    assert list(whole.too_short(*windows)) == []
    assert list(whole.too_short(None, None)) == []


def test_interval_within_the_window_of_the_duplicates_is_too_short() -> None:
    found = retention(scored="10 minutes", rejected="1 minute").too_short(
        Deduplicate.model_validate({"window": "10 minutes"}), None
    )
    why = "the audit tells a copy of a click by the row of that click"
    assert list(found) == [
        f"retention.scored: expected more than the 10 minutes of deduplicate.window, found 10 minutes; {why}",
        f"retention.rejected: expected more than the 10 minutes of deduplicate.window, found 1 minute; {why}",
    ]


@pytest.mark.parametrize("ends", [{"window": "24 hours"}, {"silence": "1 day"}])
def test_interval_in_which_units_are_followed_is_too_short_for_clicks_and_outcomes(ends: Any) -> None:
    found = list(retention(scored="1 day", rejected="1 hour", outcomes="1 day").too_short(None, outcome(**ends)))
    assert [each.split(":")[0] for each in found] == ["retention.scored", "retention.outcomes"]
    assert found[0].endswith("found 1 day; jobs/join_outcomes.py follows a unit by the rows of its clicks")
