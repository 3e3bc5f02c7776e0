"""The places of a record that a click is read from, as trees: which objects and lists there are, and what they hold.

A place has one type in a tree. Where two fields read the same place as different types, another tree holds the second.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

import pyarrow as pa

from clickscore.config.record_path import Match, Step
from clickscore.scoring.reading import PLAIN, Reading, reading_of, steps_of

Leaf = tuple[pa.DataType, Reading]
"""The type of a value, and how it is read."""
Steps = tuple[Step, ...]
Entries = dict[Any, list[Any]]
"""The entries of lists by their keys, one dictionary per record, for each path of a list with the name of the key."""
_KEY: Leaf = (pa.string(), PLAIN)


class _Twice:
    """Stands for the value of an entry that a list has twice."""


TWICE = _Twice()


class Node:
    """A place: a value of some type, an object with fields, or a list with elements.

    Attributes:
        leaf: what the value is; None for an object or a list that is only passed through.
        fields: places in an object, by their names in the record.
        elements: any element of a list.
        is_required: whether a record without it is no click.
    """

    def __init__(self) -> None:
        """Make a place that nothing is known of."""
        self.leaf: Leaf | None = None
        self.fields: dict[str, Node] = {}
        self.elements: Node | None = None
        self.is_required = False

    def takes(self, steps: Steps, leaf: Leaf) -> bool:
        """Tell whether a value of a type can stand at a path from here."""
        if not steps:
            return self.leaf == leaf or not (self.leaf or self.fields or self.elements)
        if self.leaf:
            return False
        first, rest = steps[0], steps[1:]
        if isinstance(first, str):
            return not self.elements and (first not in self.fields or self.fields[first].takes(rest, leaf))
        if self.fields:
            return False
        if isinstance(first, Match) and rest == (first.key,):
            return leaf == _KEY
        return not self.elements or (
            self.elements.takes(rest, leaf) and (isinstance(first, int) or self.elements.takes((first.key,), _KEY))
        )

    def add(self, steps: Steps, leaf: Leaf, is_required: bool) -> None:
        """Let a value stand at a path from here; of a list, which element is meant shows only later."""
        self.is_required |= is_required
        if not steps:
            self.leaf = leaf
            return
        first, rest = steps[0], steps[1:]
        if isinstance(first, str):
            self.fields.setdefault(first, Node()).add(rest, leaf, is_required)
            return
        self.elements = self.elements or Node()
        if isinstance(first, Match):
            self.elements.add((first.key,), _KEY, False)
        self.elements.add(rest, leaf, False)

    @property
    def has_lists(self) -> bool:
        """Whether the way to some value leads through a list."""
        return self.elements is not None or any(inner.has_lists for inner in self.fields.values())

    def objects(self, before: Steps = ()) -> Iterator[Steps]:
        """Yield the paths of the objects that are passed through on the way to values, except through lists."""
        for name, inner in self.fields.items():
            if inner.fields:
                yield (*before, name)
                yield from inner.objects((*before, name))

    def attribute(self, name: str) -> str:
        """Return the attribute of a decoded object that holds one of its fields."""
        return f"f{list(self.fields).index(name)}"


class Place(NamedTuple):
    """Where a value stands: in which of the trees, and at which path."""

    tree: int
    steps: Steps


def plant(click: pa.Schema) -> tuple[list[Node], list[list[Place]]]:
    """Return the trees that hold the fields of a click, and for each field its places, the first choice first."""
    trees: list[Node] = [Node()]
    places: list[list[Place]] = []
    for field in click:
        reading = reading_of(field)
        leaf, paths = (field.type, reading.of_value), steps_of(field)
        places.append([])
        for steps in paths:
            number = next((number for number, tree in enumerate(trees) if tree.takes(steps, leaf)), len(trees))
            trees += [Node()] if number == len(trees) else []
            trees[number].add(steps, leaf, not field.nullable and (len(paths) == 1 or reading.is_joined))
            places[-1].append(Place(number, steps))
    return trees, places


def is_sure(steps: Steps) -> bool:
    """Tell whether the decoder itself misses a required value at a path: none that stands in a list."""
    return all(isinstance(step, str) for step in steps)


class Values:
    """Takes the values at a path out of decoded records."""

    def __init__(self, tree: Node, steps: Steps) -> None:
        """Prepare the way from a tree: attributes of objects, and between them elements of lists."""
        self._steps: list[_Attributes | _Element | _Entry] = []
        names: list[str] = []
        for number, step in enumerate(steps):
            if isinstance(step, str):
                names.append(tree.attribute(step))
                tree = tree.fields[step]
                continue
            self._steps += [_Attributes(names)] if names else []
            names, tree = [], tree.elements or Node()
            if isinstance(step, Match):
                self._steps.append(_Entry(steps[:number], tree.attribute(step.key), step.value))
            else:
                self._steps.append(_Element(step))
        self._steps += [_Attributes(names)] if names else []

    def of(self, objects: list[Any], entries: Entries) -> list[Any]:
        """Return one value for each object; None for none, ``TWICE`` for that of an entry which a list has twice.

        Args:
            objects: decoded records.
            entries: what was found of lists on the way to other values of the same records; filled.
        """
        for step in self._steps:
            objects = step.of(objects, entries)
        return objects


class _Attributes:
    def __init__(self, names: list[str]) -> None:
        self._names, self._get = names, attrgetter(".".join(names))

    def of(self, objects: list[Any], _: Entries) -> list[Any]:
        try:
            return list(map(self._get, objects))
        except AttributeError:  # an object on the way is null
            return [_attribute(each, self._names) for each in objects]


class _Element:
    def __init__(self, number: int) -> None:
        self._number = number

    def of(self, objects: list[Any], _: Entries) -> list[Any]:
        number = self._number
        return [each if each is TWICE else each[number] if each and number < len(each) else None for each in objects]


class _Entry:
    def __init__(self, path: Steps, key: str, value: str) -> None:
        self._list, self._key, self._value = (path, key), attrgetter(key), value

    def of(self, objects: list[Any], entries: Entries) -> list[Any]:
        if self._list not in entries:
            entries[self._list] = [_by_key(each, self._key) for each in objects]
        return [each.get(self._value) for each in entries[self._list]]


def put(record: dict[str, Any], steps: Steps, value: Any) -> None:
    """Let a value stand at a path of a record, with the objects and lists that lead there; a list gets one element."""
    inner: Any = value
    for step in reversed(steps[1:]):
        if isinstance(step, str):
            inner = {step: inner}
        elif isinstance(step, Match):
            inner = [{step.key: step.value, **inner}]
        else:
            inner = [inner]
    name = str(steps[0])
    record[name] = _joined(record[name], inner) if name in record else inner


def _joined(one: Any, other: Any) -> Any:
    if isinstance(one, dict) and isinstance(other, dict):
        return one | {name: _joined(one[name], value) if name in one else value for name, value in other.items()}
    return one + other if isinstance(one, list) and isinstance(other, list) else other


def _attribute(value: Any, names: list[str]) -> Any:
    for name in names:
        if value is None or value is TWICE:
            return value
        value = getattr(value, name)
    return value


def _by_key(elements: Any, key: Callable[[Any], Any]) -> dict[Any, Any]:
    if not elements or elements is TWICE:
        return {}
    found = {key(element): element for element in elements if element is not None}
    if len(found) < len(elements):
        counts = Counter(key(element) for element in elements if element is not None)
        found |= {name: TWICE for name, count in counts.items() if count > 1}
    return found
