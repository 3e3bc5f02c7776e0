"""Places that are an object in some records and something else in others."""

from typing import Any

from clickscore.shops.shapes import settled
from clickscore.shops.survey import Place, Survey


def sample(**places: tuple[Any, range]) -> Survey:
    """Return a sample of a hundred records, with places and the records that have them."""
    found = tuple(
        Place(steps, path, dict.fromkeys(rows, "x")) for path, (steps, rows) in places.items()
    )  # fmt: skip
    return Survey(tuple(range(100)), 0, found, ())


def test_shape_of_nearly_all_records_wins_and_the_other_is_odd() -> None:
    found = settled(sample(text=(("a",), range(95)), inner=(("a", "b"), range(95, 100)), other=(("c",), range(100))))
    assert ([place.path for place in found.places], found.odd) == (["text", "other"], ("inner",))


def test_place_of_which_no_shape_is_usual_is_left_out_whole() -> None:
    found = settled(sample(text=(("a",), range(60)), inner=(("a", "b"), range(60, 100))))
    assert (found.places, found.odd) == ((), ("text", "inner"))


def test_object_and_list_at_one_place_are_two_shapes_and_two_fields_of_an_object_are_one() -> None:
    found = settled(sample(listed=(("a", 0, "b"), range(92)), inner=(("a", "b"), range(92, 100)),
                           one=(("o", "x"), range(50)), two=(("o", "y"), range(50, 100))))  # fmt: skip
    assert ([place.path for place in found.places], found.odd) == (["listed", "one", "two"], ("inner",))
