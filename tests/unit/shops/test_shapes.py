"""Places that are an object in some records and something else in others."""

import json
from typing import Any

import pytest

from clickscore.shops.shapes import settled
from clickscore.shops.survey import survey

OBJECT = {"b": 1}


def places(*values: Any) -> tuple[list[str], list[str]]:
    """Return the places that can be read, and the odd ones, of records with a value each."""
    sample = settled(survey([json.dumps({"a": value}).encode() for value in values], "clicks.jsonl"))
    return [place.path for place in sample.places], list(sample.odd)


@pytest.mark.parametrize(("usual", "odd", "found"), [
    ("x", OBJECT, (["a"], ["a.b"])),
    (OBJECT, "x", (["a.b"], ["a"])),
    ([OBJECT], OBJECT, (["a[0].b"], ["a.b"])),
    (["x"], [OBJECT], (["a"], ["a[0].b"])),
    ([OBJECT], ["x"], (["a[0].b"], ["a"])),
    ("x", [], (["a"], [])),
    (OBJECT, {}, (["a.b"], [])),
])  # fmt: skip
def test_shape_of_nearly_all_records_wins_and_the_other_is_odd(usual: Any, odd: Any, found: Any) -> None:
    assert places(*[usual] * 19, odd) == found


@pytest.mark.parametrize("others", [[OBJECT], [], {}], ids=str)
def test_place_of_which_no_shape_is_usual_is_left_out_whole(others: Any) -> None:
    found, odd = places(*["x"] * 10, *[others] * 10)
    assert (found, odd[:1]) == ([], ["a"])


def test_empty_list_is_one_of_any_elements() -> None:
    assert places(*[["x"]] * 10, *[[]] * 10) == (["a"], [])
    assert places(*[[OBJECT]] * 10, *[[]] * 10) == (["a[0].b"], [])


def test_all_elements_of_a_list_count_and_not_the_first_alone() -> None:
    assert places(*[[{"b": OBJECT}, {"b": 1}]] * 9) == ([], ["a[0].b.b"])
    assert places(*[[{"b": 1}, "x"]] * 9) == ([], ["a[0].b"])


def test_fields_of_an_object_need_not_be_in_the_same_records() -> None:
    assert places(*[{"b": 1}] * 9, *[{"c": 1}] * 9, None) == (["a.b", "a.c"], [])
