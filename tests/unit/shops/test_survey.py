"""What a sample holds, and samples that cannot be used."""

import json
from decimal import Decimal
from typing import Any

import pytest

from clickscore.errors import SourceError
from clickscore.shops import survey as module
from clickscore.shops.survey import Survey, survey


def found(*records: Any) -> Survey:
    """Survey records, the last of them so often that there are enough."""
    lines = [json.dumps(record).encode() for record in (*records, *[records[-1]] * 4)]
    return survey(lines, "clicks.jsonl")


def values(sample: Survey) -> dict[str, list[Any]]:
    return {place.path: list(place.values.values())[:1] for place in sample.places}


def test_places_are_found_at_any_depth_with_their_values() -> None:
    sample = found({"id": "a", "page": {"url": "/", "size": {"w": 3}}, "price": 8.25, "new": True, "tags": ["x", "y"]})
    assert values(sample) == {
        "id": ["a"], "page.url": ["/"], "page.size.w": [3], "price": [Decimal("8.25")], "new": [True],
        "tags": [["x", "y"]],
    }  # fmt: skip


def test_entries_of_a_key_value_list_are_places_of_their_own_and_of_another_list_the_first_element() -> None:
    params = [{"key": "page url", "value": {"string_value": "/"}}, {"key": "n", "value": {"int_value": "7"}}]
    sample = found({"params": params, "items": [{"sku": "a"}, {"sku": "b", "n": 2}], "p": [{"name": "x", "value": 1}]})
    assert values(sample) == {
        'params[key="page url"].value.string_value': ["/"], "params[key=n].value.int_value": ["7"],
        "items[0].sku": ["a"], "p[name=x].value": [1],
    }  # fmt: skip


def test_type_of_a_place_in_a_list_must_take_what_stands_in_any_element() -> None:
    sample = found({"p": [{"name": "x", "value": 1}, {"name": "y", "value": "b"}], "q": 1})
    by_path = {place.path: list(place.to_be_read)[:2] for place in sample.places}
    assert by_path == {"p[name=x].value": [1, "b"], "p[name=y].value": [1, "b"], "q": [1, 1]}


def test_what_is_always_null_or_empty_is_named_and_what_is_only_once_is_not() -> None:
    sample = found({"a": None, "b": [], "c": {}, "d": None, "e": None}, {"a": None, "d": 1, "e": {"f": 2}})
    assert sample.empty == ("a", "b", "c")
    assert [place.path for place in sample.places] == ["d", "e.f"]


def test_lines_that_are_no_objects_are_counted_and_empty_ones_are_not() -> None:
    lines = [b"{", b"", b"[1]", b'{"a": NaN}', b"\xff", *[b'\xef\xbb\xbf{"a": 1}'] * 5]
    sample = survey(lines, "clicks.jsonl")
    assert (len(sample.rows), sample.unreadable) == (5, 4)
    assert sample.share(sample.places[0]) == 1.0


@pytest.mark.parametrize("half", [b'{"\\ud800": 1}', b'{"a": "x\\udc00"}', b'{"a": [{"\\ud800x": null}], "n": 1.5}'])
def test_line_with_half_a_character_is_counted_among_them(half: bytes) -> None:
    whole = b'{"a": "\\ud83d\\ude00", "n": 1e999999999}'
    sample = survey([half, *[whole] * 5], "clicks.jsonl")
    assert (len(sample.rows), sample.unreadable) == (5, 1)


def test_names_without_end_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PLACES", 3)
    lines = [json.dumps({"a": 1, f"key{number}": number}).encode() for number in range(9)]
    assert [place.path for place in survey(lines, "clicks.jsonl").places] == ["a", "key0", "key1"]


@pytest.mark.parametrize(("content", "message"), [
    (b"", "the sample clicks.json is empty: expected JSON lines, one record per line"),
    (b"\n \n", "is empty"),
    (b'[{"a": 1}, {"a": 2}]', r"is one JSON array: .* Split it: jq -c '\.\[\]' clicks.json > records.jsonl"),
    (b'[\n{"a": 1},\n{"a": 2}\n]', "is one JSON array"),
    (b'{\n"a": 1\n}\n{\n"a": 2\n}', r"is a whole JSON object: .* Join them: jq -c \. clicks.json"),
    (b"id,time\n1,2", "no line of the sample clicks.json is a JSON object: .* found 'id,time'"),
    (b"\xff\xfe", r"found '\\\\xff\\\\xfe'"),
    (b'{"a": 1}', "has 1 JSON object: expected 5 or more, of several visitors"),
    (b'{"a": 1}\n{"a": 2}', "has 2 JSON objects: expected 5 or more"),
])  # fmt: skip
def test_sample_that_cannot_be_used_is_one_message_with_the_remedy(content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        survey(content.split(b"\n"), "clicks.json")
