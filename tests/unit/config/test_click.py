from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clickscore.config.click import Click, FieldSource

ROLES = {"schema": Path("conf/click.ddl"), "id": "event_id", "time": "event_time", "visitor": "visitor_id"}


def message(section: type[Click] | type[FieldSource], **keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        section.model_validate(keys)
    return str(caught.value)


def test_fields_may_be_lenient_and_have_a_format_and_a_zone() -> None:
    source = {"format": "%d.%m.%Y %H:%M", "zone": "Europe/Zurich"}
    click = Click.model_validate({**ROLES, "from": {"event_time": source}, "lenient": ["price"]})
    assert (click.sources, click.lenient) == ({"event_time": FieldSource(**source)}, ("price",))
    assert Click.model_validate(ROLES).sources == {}


def test_path_may_stand_alone_or_among_others_and_a_constant_for_itself() -> None:
    sources = {"url": "context.page.url", "visitor": ["userId", "anonymousId"], "at": {"path": "sent", "zone": "UTC"},
               "shop": {"constant": "eu"}, "n": {"path": ["a", "b"]}}  # fmt: skip
    assert Click.model_validate({**ROLES, "from": sources}).sources == {
        "url": FieldSource(path=("context.page.url",)),
        "visitor": FieldSource(path=("userId", "anonymousId")),
        "at": FieldSource(path=("sent",), zone="UTC"),
        "shop": FieldSource(constant="eu"),
        "n": FieldSource(path=("a", "b")),
    }


def test_field_is_made_of_two_paths_or_more_and_has_no_other_origin() -> None:
    parts = ["user.id", "at"]
    click = Click.model_validate({**ROLES, "from": {"event_id": {"concat": parts}}})
    assert click.sources == {"event_id": FieldSource(concat=("user.id", "at"))}
    assert "write 'at' as the path instead" in message(FieldSource, concat=["at"])
    assert "has a path and concat; keep one of them" in message(FieldSource, path="a", concat=parts)
    assert "has a constant and concat; keep one of them" in message(FieldSource, constant=0, concat=parts)
    assert "found 'a..b'" in message(FieldSource, concat=["at", "a..b"])


def test_text_that_is_no_path_is_refused() -> None:
    assert "found 'context..url', which ends as one at character 8" in message(FieldSource, path="context..url")
    assert "keep one of them" in message(FieldSource, path="a", constant="b")
    assert "valid string" in message(FieldSource, path=[5])


@pytest.mark.parametrize("format", ["%Y%m%d", "%d/%b/%Y:%H:%M:%S %z", "%m/%d/%y %I:%M %p", "%Y-%j", "%G-W%V-%u"])
def test_format_with_a_whole_day_is_accepted(format: str) -> None:
    assert FieldSource(format=format).format == format


@pytest.mark.parametrize(("format", "why"), [
    ("noon", "needs a year, a month and a day"),
    ("%H:%M", "needs a year, a month and a day"),
    ("%Y-%m", "needs a year, a month and a day"),
    ("%d.%m.%Y %I:%M", "12-hour clock (%I) without %p"),
    ("%Y-%m-%d %Q", "cannot be used"),
    ("%Y-%m-%d %H:%M %Z", "depends on the machine"),
    ("", "at least 1 character"),
])  # fmt: skip
def test_format_that_does_not_tell_one_time_is_refused(format: str, why: str) -> None:
    assert why in message(FieldSource, format=format)


def test_zone_must_be_one_that_is_known() -> None:
    assert "found 'Europe/Zurch'; did you mean Europe/Zurich?" in message(FieldSource, zone="Europe/Zurch")
    assert "expected a time zone" in message(FieldSource, zone="/etc/localtime")
