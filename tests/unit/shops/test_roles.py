"""Guesses of what tells clicks apart, when they were and whose they are."""

from collections.abc import Callable
from typing import Any

import pytest

from clickscore.errors import SourceError
from clickscore.shops.roles import FEWEST_RECORDS, Roles, guess_roles
from clickscore.shops.survey import Survey

MakeSample = Callable[..., Survey]
CLICKS = [{"id": f"c{n}", "at": f"2026-03-01T12:00:{n:02d}Z", "user": f"u{n % 4}", "type": "view"} for n in range(20)]


@pytest.fixture
def guess(surveyed: MakeSample) -> Callable[..., Roles]:
    return lambda records: guess_roles(surveyed(*records, times=1), "clicks.jsonl")


def changed(**fields: Any) -> list[dict[str, Any]]:
    """Return the clicks without some fields, where they are None, and with others, made of their number."""
    return [
        {**{name: value for name, value in click.items() if name not in fields},
         **{name: make(number) for name, make in fields.items() if make}}
        for number, click in enumerate(CLICKS)
    ]  # fmt: skip


def paths(roles: Roles) -> list[list[str]]:
    return [[place.path for place in role.places] for role in roles]


def test_roles_are_told_by_name_and_values_and_each_has_its_reason(guess: Callable[..., Roles]) -> None:
    roles = guess(CLICKS)
    assert paths(roles) == [["id"], ["at"], ["user"]]
    assert [role.why for role in roles] == [
        "id, by the name; its values differ from record to record",
        "at, as its values are times and its name says so",
        "user, by the name; 4 visitors in 20 records",
    ]


def test_time_of_the_event_comes_before_those_of_servers(guess: Callable[..., Roles]) -> None:
    roles = guess(changed(at=None, received_at=lambda n: 1_772_366_400 + n, meta=lambda n: {"ts": 1_772_366_300 + n}))
    assert paths(roles)[1] == ["meta.ts"]
    assert roles.time.why.endswith("other times: received_at")


def test_text_that_is_a_time_needs_no_name_and_a_number_does(guess: Callable[..., Roles]) -> None:
    found = guess(changed(at=None, clock=lambda n: f"2026-03-01T12:00:{n:02d}Z", n=lambda n: 1_772_366_400 + n))
    assert paths(found)[1] == ["clock"]
    assert found.time.why == "clock, as its values are times"


def test_name_of_a_visitor_whose_values_all_differ_is_that_of_an_id_where_there_is_another_visitor(
    guess: Callable[..., Roles],
) -> None:
    records = changed(id=None, user=None, uid=lambda n: f"e{n}", who=lambda n: {"anon": f"a{n % 4}"})
    assert paths(guess(records)) == [["uid"], ["at"], ["who.anon"]]
    assert paths(guess(records[: FEWEST_RECORDS - 1]))[2] == ["uid"]
    assert paths(guess(changed(user=None, uid=lambda n: f"e{n}")))[2] == ["uid"]


def test_second_visitor_stands_in_where_the_first_is_null(guess: Callable[..., Roles]) -> None:
    found = guess(changed(user=None, anonymousId=lambda n: f"a{n}" if n % 2 else None, userId=lambda n: n // 2))
    assert paths(found)[2] == ["anonymousId", "userId"]
    found = guess(changed(user=None, anonymousId=lambda n: f"a{n}", userId=lambda n: n // 2))
    assert paths(found)[2] == ["anonymousId"]


def test_id_is_made_of_visitor_time_and_action_where_no_field_tells_clicks_apart(guess: Callable[..., Roles]) -> None:
    found = guess(changed(id=None))
    assert (paths(found)[0], found.id.is_joined) == (["user", "at", "type"], True)
    assert (
        found.id.why
        == "made of user + at + type, as no other field that is named like an id has a different value in each record"
    )


def test_id_gets_another_part_that_tells_more_clicks_apart_and_says_what_is_still_alike(
    guess: Callable[..., Roles],
) -> None:
    same = changed(
        id=None, at=lambda n: "2026-03-01T12:00:00Z", user=lambda n: "u", sku=lambda n: n // 2, w=lambda n: 5
    )
    found = guess(same)
    assert paths(found)[0] == ["user", "at", "type", "sku"]
    assert found.id.why.endswith("10 records share theirs with another one")


def test_name_of_an_id_whose_values_repeat_is_none(guess: Callable[..., Roles]) -> None:
    assert paths(guess(changed(id=lambda n: n // 4)))[0] == ["user", "at", "type"]
    assert paths(guess(changed(id=lambda n: max(n, 1))))[0] == ["id"]  # one record was sent twice


def test_id_needs_no_visitor_among_its_parts_where_there_are_two_of_them(guess: Callable[..., Roles]) -> None:
    found = guess(changed(id=None, user=None, anon_id=lambda n: "a" if n % 2 else None, user_id=lambda n: n))
    assert paths(found)[0] == ["at", "type"]


def test_sample_without_a_time_or_a_visitor_is_one_message(guess: Callable[..., Roles]) -> None:
    with pytest.raises(SourceError, match=r"no field that looks like a time in 90% .* found id, user, type\. Let your"):
        guess(changed(at=None))
    with pytest.raises(SourceError, match=r"no field that looks like a visitor .* such as visitor_id or user_id"):
        guess(changed(user=None))
    with pytest.raises(SourceError, match="looks like a visitor"):
        guess(changed(user=lambda n: "u" if n < 10 else None))
