"""Fields of a click from places and roles."""

from collections.abc import Callable

import pytest

from clickscore.shops import fields as module
from clickscore.shops.fields import Fields, fields_of
from clickscore.shops.kinds import Kind
from clickscore.shops.roles import guess_roles
from clickscore.shops.survey import Survey

MakeSample = Callable[..., Survey]
CLICKS = [{"at": f"2026-03-01T12:00:{n:02d}Z", "user": {"id": n % 4}, "type": "view", "price": "8.25", "note": None,
           "rare": 1 if n == 3 else None} for n in range(20)]  # fmt: skip


@pytest.fixture
def fields(surveyed: MakeSample) -> Callable[..., Fields]:
    def make(*records: object) -> Fields:
        sample = surveyed(*records, times=1)
        return fields_of(sample, guess_roles(sample, "clicks.jsonl"))

    return make


def test_roles_come_first_and_each_place_is_a_field_of_its_own(fields: Callable[..., Fields]) -> None:
    found = fields(*CLICKS)
    assert (found.id, found.time, found.visitor) == ("event_id", "at", "user_id")
    assert [(each.name, each.kind, each.paths, each.is_joined) for each in found.all] == [
        ("event_id", Kind("STRING"), ("user.id", "at", "type"), True),
        ("at", Kind("TIMESTAMP"), ("at",), False),
        ("user_id", Kind("BIGINT"), ("user.id",), False),
        ("type", Kind("STRING"), ("type",), False),
        ("price", Kind("DOUBLE", True), ("price",), False),
        ("rare", Kind("BIGINT"), ("rare",), False),
    ]
    assert found.left_out == ("left out, null or empty in each record: note",)
    assert found.all[0].values[:2] == ("0|2026-03-01T12:00:00Z|view", "1|2026-03-01T12:00:01Z|view")


def test_field_is_required_if_it_is_in_all_good_records_and_these_are_enough(fields: Callable[..., Fields]) -> None:
    found = fields(*CLICKS, {"type": None})
    assert [each.name for each in found.all if each.is_required] == ["event_id", "at", "user_id", "type", "price"]
    assert [each.name for each in fields(*CLICKS[:19]).all if each.is_required] == ["event_id", "at", "user_id"]


def test_visitor_of_two_places_is_a_text_beside_the_fields_of_both(fields: Callable[..., Fields]) -> None:
    records = [
        {"id": f"c{n}", "ts": 1_772_366_400 + n, "anonId": "a" if n % 2 else None, "userId": n} for n in range(20)
    ]
    found = fields(*records)
    [visitor] = [each for each in found.all if each.name == found.visitor]
    assert (visitor.name, visitor.kind, visitor.paths) == ("visitor_id", Kind("STRING", True), ("anonId", "userId"))
    assert visitor.values[:2] == ("0", "a")
    assert [each.name for each in found.all] == ["id", "ts", "visitor_id", "anonId", "userId"]


def test_digits_of_a_visitor_stay_text(fields: Callable[..., Fields]) -> None:
    found = fields(*[{**click, "user": str(number)} for number, click in enumerate(CLICKS)])
    assert [each.kind for each in found.all if each.name == "user"] == [Kind("STRING")]


def test_values_of_different_types_and_fields_beyond_the_commonest_are_left_out(
    fields: Callable[..., Fields], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fields(*[{**click, "odd": [1, "a"]} for click in CLICKS]).left_out == (
        "left out, null or empty in each record: note", "left out, values of different types: odd"
    )  # fmt: skip
    monkeypatch.setattr(module, "MOST_FIELDS", 4)
    found = fields(*CLICKS)
    assert found.left_out[-1] == "left out, beyond the 4 commonest fields: rare"
