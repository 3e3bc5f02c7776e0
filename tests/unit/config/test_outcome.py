import pytest
from pydantic import ValidationError

from clickscore.config.outcome import Labels, Outcome

WHOLE = {"success": "sold", "unit": "session", "session": "visit", "window": "24 hours"}


def test_unit_is_identified_by_its_field() -> None:
    assert Outcome.model_validate(WHOLE).field("id", "visitor") == "visit"
    of_others = {"success": "sold", "silence": "30 minutes"}
    assert Outcome.model_validate({**of_others, "unit": "visitor"}).field("id", "visitor") == "visitor"
    assert Outcome.model_validate({**of_others, "unit": "click"}).field("id", "visitor") == "id"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"session": None}, "unit: session needs session, the field that identifies one"),
        ({"unit": "visitor"}, "unit: visitor has no use for session; omit it"),
        ({"window": None}, "expected one of window and silence"),
        ({"silence": "30 minutes"}, "expected one of window and silence"),
        ({"unit": "visit"}, "'session', 'visitor' or 'click'"),
        ({"window": "a day"}, 'expected an interval such as "10 minutes"'),
    ],
)
def test_keys_that_do_not_fit_together_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Outcome.model_validate({key: value for key, value in {**WHOLE, **keys}.items() if value is not None})


@pytest.mark.parametrize("key", [{}, {"id": "click", "visitor": "who"}])
def test_label_is_about_a_click_or_a_visitor(key: dict[str, str]) -> None:
    labels = {"table": "shop.orders", "time": "ordered_at"}
    assert Labels.model_validate({**labels, "visitor": "who"}).success == "true"
    with pytest.raises(ValidationError, match="expected one of id and visitor, the column that says"):
        Labels.model_validate({**labels, **key})
