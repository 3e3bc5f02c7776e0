import pytest
from pydantic import ValidationError

from clickscore.config.drift import Drift


def test_section_that_is_left_out_has_a_threshold_over_a_day_of_clicks() -> None:
    assert Drift() == Drift.model_validate(
        {"psi": 0.2, "window": "24 hours", "minimum": 1_000, "ignore": ["hour_of_day", "day_of_week"]}
    )


@pytest.mark.parametrize("keys", [{"psi": 0.0}, {"window": "a day"}, {"minimum": 0}, {"ignore": [""]}, {"js": 0.1}])
def test_keys_that_make_no_sense_are_refused(keys: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Drift.model_validate(keys)
