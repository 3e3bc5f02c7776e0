"""What a sample holds: each place of its records with the values that stand there."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from clickscore.config.record_path import Match, Step, path_text
from clickscore.errors import SourceError

LEAST_RECORDS = 5
"""In fewer records every field is always there, and every value is the only one of its kind."""
MOST_PLACES = 2_000
"""Records that have ids as names of fields have new places without end."""
_SHOWN_CHARS = 80
_KEYS = ("key", "name")
"""Fields by which the entries of a list are named, where each has a ``value`` beside it."""


Way = tuple[str | None, ...]
"""The way to a place, with None for any element of a list."""


@dataclass(eq=False)
class Place:
    """A place of the records of a sample.

    Attributes:
        steps: the way to it from the record.
        path: the same as ``click.from`` has it.
        values: what stands there, by the number of the record; texts, whole numbers, ``Decimal``, booleans, or lists.
        in_lists: for a place in a list, what stands there in any of its elements: they are all read as one type.
    """

    steps: tuple[Step, ...]
    path: str
    values: dict[int, Any] = field(default_factory=dict)
    in_lists: list[Any] = field(default_factory=list)

    @cached_property
    def texts(self) -> dict[int, str]:
        """The values as texts, as one field made of several has them."""
        return {row: value if isinstance(value, str) else str(value) for row, value in self.values.items()}

    @property
    def to_be_read(self) -> Collection[Any]:
        """All values that its type must take, so that no record is rejected for it; objects as well."""
        return self.in_lists or self.values.values()

    @property
    def is_single(self) -> bool:
        """Whether each value is a text or a whole number, as ids are."""
        return all(isinstance(value, str | int) and not isinstance(value, bool) for value in self.values.values())


@dataclass(frozen=True)
class Survey:
    """A sample.

    Attributes:
        records: those that are JSON objects, by their numbers.
        unreadable: how many others there are.
        places: the places that have values, in the order of their first record.
        empty: paths of those that are null, or an empty list or object, in each record.
        odd: paths of those that cannot be read beside the others; see ``shapes.settled``.
    """

    records: Mapping[int, Any]
    unreadable: int
    places: tuple[Place, ...]
    empty: tuple[str, ...]
    odd: tuple[str, ...] = ()

    @property
    def rows(self) -> Collection[int]:
        """The numbers of the records."""
        return self.records.keys()

    def share(self, place: Place) -> float:
        """Return in which share of the objects a place has a value."""
        return len(place.values) / len(self.rows)


def survey(records: Iterable[bytes], where: str) -> Survey:
    """Look at each place of each record.

    Args:
        records: the lines of a sample.
        where: the sample, for messages.

    Raises:
        SourceError: if these are no JSON lines, or too few.
    """
    lines = list(records)
    objects = {row: found for row, line in enumerate(lines) if isinstance(found := _decoded(line), dict)}
    if problem := _problem(lines, len(objects), where):
        raise SourceError(problem)
    places: dict[tuple[Step, ...], Place] = {}
    for row, record in objects.items():
        for steps, value in _walk(record, ()):
            if steps not in places and len(places) < MOST_PLACES and (path := path_text(steps)):
                places[steps] = Place(steps, path)
            if steps in places and value is not None:
                places[steps].values[row] = value
    in_lists = _in_lists(objects.values(), {anywhere(place.steps) for place in places.values()})
    for place in places.values():
        place.in_lists = in_lists.get(anywhere(place.steps), [])
    passed = {place.steps[:length] for place in places.values() for length in range(1, len(place.steps))}
    return Survey(
        objects,
        sum(bool(line.strip()) for line in lines) - len(objects),
        tuple(place for place in places.values() if place.values),
        tuple(place.path for place in places.values() if not place.values and place.steps not in passed),
    )


def _walk(value: Any, steps: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], Any]]:
    """Yield the places of a value; None for one where nothing stands."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(inner, (*steps, name))
        if not value and steps:
            yield steps, None
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        if key := _key_of(value):
            entries = {each[key]: each["value"] for each in value}
            for name, inner in entries.items():
                yield from _walk(inner, (*steps, Match(key, name), "value"))
        else:
            yield from _walk(value[0], (*steps, 0))
    else:
        yield steps, value if value != [] else None


def anywhere(steps: tuple[Step, ...]) -> Way:
    """Return the way to a place, with None for any element of a list."""
    return tuple(step if isinstance(step, str) else None for step in steps)


def _in_lists(records: Iterable[Any], wanted: set[Way]) -> dict[Way, list[Any]]:
    """Return the values in all elements of lists, by the ways to them."""
    found: dict[Way, list[Any]] = {}
    ways = {way[:length] for way in wanted if None in way for length in range(1, len(way) + 1)}

    def look(value: Any, way: Way) -> None:
        if way in wanted and None in way and value is not None:
            found.setdefault(way, []).append(value)
        inner = (
            value.items()
            if isinstance(value, dict)
            else ((None, each) for each in value)
            if isinstance(value, list)
            else ()
        )
        for step, each in inner:
            if (*way, step) in ways:
                look(each, (*way, step))

    for record in records:
        look(record, ())
    return found


def _key_of(entries: list[Any]) -> str | None:
    """Return the field that names each entry of a list of keys and values."""
    if not all(isinstance(each, dict) and "value" in each for each in entries):
        return None
    return next((key for key in _KEYS if all(isinstance(each.get(key), str) for each in entries)), None)


def _problem(lines: list[bytes], objects: int, where: str) -> str | None:
    """Say why a sample cannot be used; None if it can."""
    filled = [line for line in lines if line.strip()]
    whole = b"\n".join(lines)
    if not filled:
        return f"the sample {where} is empty: expected JSON lines, one record per line"
    if filled[0].lstrip().startswith(b"[") and (len(filled) == 1 or isinstance(_decoded(whole), list)):
        remedy = f"jq -c '.[]' {where} > records.jsonl"
        return f"the sample {where} is one JSON array: expected one record per line. Split it: {remedy}"
    if not objects and filled[0].lstrip().startswith(b"{") and len(filled) > 1:
        remedy = f"jq -c . {where} > records.jsonl"
        return (
            f"no line of the sample {where} is a whole JSON object: expected one record per line. Join them: {remedy}"
        )
    if not objects:
        shown = filled[0][:_SHOWN_CHARS].decode("utf-8", "backslashreplace")
        return f"no line of the sample {where} is a JSON object: expected one record per line, found {shown!r}"
    if objects < LEAST_RECORDS:
        return (
            f"the sample {where} has {objects} JSON object{'s' if objects > 1 else ''}: expected {LEAST_RECORDS} or "
            f"more, of several visitors, to tell ids from other fields. Take more records, a few hundred are enough"
        )
    return None


def _decoded(line: bytes) -> Any:
    """Return the value of JSON; None for what is none."""
    try:
        text = line.decode("utf-8-sig")
        found = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
        if "\\u" in text:  # may be half a character, which no record of a click may have
            json.dumps(found, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError, ArithmeticError):
        return None
    return found


def _refuse(name: str) -> Any:
    raise ValueError(name)
