import pytest

from clickscore.config.record_path import Match, Step
from clickscore.shops.names import CODE, TIME, field_name, reserved, snake, words_of


@pytest.mark.parametrize(("steps", "name"), [
    (("event_id",), "event_id"),
    (("pageURL",), "pageURL"),
    (("Straße",), "Straße"),
    (("context", "page", "pageTitle"), "page_title"),
    (("user", "id"), "user_id"),
    (("id",), "id"),
    (("properties", "$current_url"), "current_url"),
    (("items", 0, "unit price"), "unit_price"),
    (("params", Match("key", "page_location"), "value", "string_value"), "page_location"),
    (("_id",), "id"),
    (("event.time",), "event_time"),
    (("score",), "score_2"),
    ((" ",), "field"),
])  # fmt: skip
def test_field_has_its_own_name_or_the_shortest_that_a_table_takes(steps: tuple[Step, ...], name: str) -> None:
    assert field_name(steps, reserved()) == name


def test_names_of_two_fields_differ_even_in_lower_case() -> None:
    taken: set[str] = set()
    places: list[tuple[Step, ...]] = [("ID",), ("id",), ("a", "title"), ("b", "title"), ("page", "a", "title")]
    assert [field_name(steps, taken) for steps in places] == ["ID", "id_2", "a_title", "b_title", "page_a_title"]


def test_humps_become_underscores() -> None:
    assert [snake(name) for name in ("pageUrl", "HTTPStatus", "a-b c", "$x")] == [
        "page_url",
        "http_status",
        "a_b_c",
        "x",
    ]
    assert words_of(("who", 0, "userId")) == ["who", "user_id"]


def test_names_of_times_and_codes_are_known() -> None:
    assert all(map(TIME.search, ("event_time", "sent_at", "ts", "time_ms", "created", "event_timestamp")))
    assert not any(map(TIME.search, ("format", "category", "times_seen", "state")))
    assert all(map(CODE.search, ("user_id", "uuid", "zip", "item_sku")))
    assert not any(map(CODE.search, ("price", "quantity", "identity_score")))
