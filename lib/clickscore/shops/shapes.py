"""Places that are an object in some records and a value or a list in others: which of them a click can be read from."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from clickscore.shops.survey import Place, Survey, Way, anywhere

USUAL = 0.9
"""Share of the records in which a place must be the same for the others to be odd ones; they are rejected then."""

OBJECT, VALUE, VALUES, OBJECTS, EMPTY = "object", "value", "list of values", "list of objects", "empty list"


def settled(sample: Survey) -> Survey:
    """Return a sample with those places that can be read together; the others are odd.

    A record is read by one shape: what is an object for one field is no text for another.
    """
    rows: dict[Way, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for row, record in sample.records.items():
        for way, shape in _shapes(record, ()):
            rows[way][shape].add(row)
    usual = {way: _usual(found) for way, found in rows.items()}
    kept: list[Place] = []
    odd: list[Place] = []
    for place in sample.places:
        (kept if all(usual[way] == shape for way, shape in _needed(place)) else odd).append(place)
    return replace(sample, places=tuple(kept), odd=tuple(place.path for place in odd))


def _shapes(value: Any, way: Way) -> Iterator[tuple[Way, str]]:
    """Yield what stands at each place below a value, in lists for all elements together."""
    if isinstance(value, dict):
        yield way, OBJECT
        for name, inner in value.items():
            yield from _shapes(inner, (*way, name))
    elif isinstance(value, list):
        has_objects = any(isinstance(each, dict) for each in value)
        yield way, OBJECTS if has_objects else VALUES if value else EMPTY
        for inner in value if has_objects else ():
            yield from _shapes(inner, (*way, None))
    elif value is not None:
        yield way, VALUE


def _needed(place: Place) -> Iterator[tuple[Way, str]]:
    """Yield what must stand on the way to a place, and there, for it to be read."""
    for length in range(1, len(place.steps)):
        yield anywhere(place.steps[:length]), OBJECT if isinstance(place.steps[length], str) else OBJECTS
    is_list = any(isinstance(value, list) for value in place.values.values())
    yield anywhere(place.steps), VALUES if is_list else VALUE


def _usual(rows: dict[str, set[int]]) -> str | None:
    """Return the shape of nearly all records; None if there is none. An empty list is one of any elements."""
    shape, found = max(rows.items(), key=lambda item: (item[0] != EMPTY, len(item[1])))
    others = {row for other, seen in rows.items() for row in seen
              if other != shape and not (other == EMPTY and shape in (VALUES, OBJECTS))}  # fmt: skip
    return shape if len(found - others) >= USUAL * len(found | others) else None
