"""Places that are an object in some records and a value or a list in others: which of them a click can be read from."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from clickscore.config.record_path import Step
from clickscore.shops.survey import Place, Survey, anywhere

USUAL = 0.9
"""Share of the records in which a place must be the same for the others to be odd ones; they are rejected then."""

Way = tuple[str | None, ...]


def settled(sample: Survey) -> Survey:
    """Return a sample with those places that can be read together; the others are odd.

    A record is read by one shape: what is an object for one field is no text for another.
    """
    rows: dict[Way, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for place in sample.places:
        for way, shape in _shapes(place.steps):
            rows[way][shape] |= place.values.keys()
    usual = {way: _usual(found) for way, found in rows.items()}
    kept: list[Place] = []
    odd: list[Place] = []
    for place in sample.places:
        (kept if all(usual[way] == shape for way, shape in _shapes(place.steps)) else odd).append(place)
    return replace(sample, places=tuple(kept), odd=tuple(place.path for place in odd))


def _shapes(steps: tuple[Step, ...]) -> Iterator[tuple[Way, str]]:
    """Yield what the places on the way are, and that the last one is a value."""
    for length in range(1, len(steps)):
        yield anywhere(steps[:length]), "object" if isinstance(steps[length], str) else "list"
    yield anywhere(steps), "value"


def _usual(rows: dict[str, set[int]]) -> str | None:
    shape, found = max(rows.items(), key=lambda item: len(item[1]))
    return shape if len(found) >= USUAL * len(set[int]().union(*rows.values())) else None
