"""Where a value stands in a record: a path such as ``context.page.url`` or ``items[0]."unit price"``.

A name stands bare or in quotes; ``[0]`` is an element of a list, ``[key=page_location]`` the element whose field
``key`` has that text.
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

_BARE = r"[^\s.\[\]=\"'`]+"
_QUOTED = r'"[^"]+"|\'[^\']+\'|`[^`]+`'
_NAME = rf"{_QUOTED}|{_BARE}"
_STEP = re.compile(
    rf"(?P<dot>\.)?(?P<name>{_NAME})|\[(?P<index>\d+)\]|\[(?P<key>{_NAME})=(?P<value>{_NAME})\]|\[(?P<inner>{_QUOTED})\]",
    re.ASCII,
)


ESCAPED_IN_KEYS = '"\\' + "".join(map(chr, range(32)))
"""Characters that JSON escapes in a key; the decoder does not take them in the name of a field."""


class Match(NamedTuple):
    """The element of a list of objects whose field ``key`` has the text ``value``."""

    key: str
    value: str


Step = str | int | Match
"""A field of an object by its name, an element of a list by its number from 0, or one by what it holds."""


def parse_path(text: str) -> tuple[Step, ...]:
    """Return the steps of a path.

    Raises:
        ValueError: if the text is none.
    """
    steps: list[Step] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if not found or bool(found["dot"]) != bool(found["name"] and steps):
            break
        if found["name"]:
            steps.append(_unquoted(found["name"]))
        elif found["index"]:
            steps.append(int(found["index"]))
        elif found["key"]:
            steps.append(Match(_unquoted(found["key"]), _unquoted(found["value"])))
        else:
            steps.append(_unquoted(found["inner"]))
        at = found.end()
    problem = _problem(text, steps, at)
    if problem:
        raise ValueError(problem)
    return tuple(steps)


def _problem(text: str, steps: list[Step], at: int) -> str | None:
    if not steps or at < len(text):
        examples = 'context.page.url, items[0].sku, params[key=page].value, or "page.url" for a name with a dot'
        return f"expected a path such as {examples}, found {text!r}, which ends as one at character {at + 1}"
    if not isinstance(steps[0], str):
        return f"expected the name of a field at the beginning of {text!r}: a record is an object"
    if text.startswith("$."):
        return f"a path begins with the name of a field: write {text[2:]!r} instead of {text!r}"
    if any(set(name) & set(ESCAPED_IN_KEYS) for name in _keys(steps)):
        return f"a name in a path must not have quotation marks, backslashes or control characters, found {text!r}"
    if any(isinstance(step, Match) and not isinstance(after, str) for step, after in pairwise([*steps, 0])):
        return f"expected the name of a field after the ] of {text!r}: the entry of the list is an object"
    return None


def _keys(steps: Iterable[Step]) -> list[str]:
    """Return the names of fields on a path."""
    return [step.key if isinstance(step, Match) else step for step in steps if not isinstance(step, int)]


def _unquoted(name: str) -> str:
    return name[1:-1] if name[0] in "\"'`" else name


def path_text(steps: tuple[Step, ...]) -> str | None:
    """Return a path as ``parse_path`` reads it; None for one that it refuses."""
    if any(set(name) & set(ESCAPED_IN_KEYS) for name in _keys(steps)):
        return None
    parts = []
    for number, step in enumerate(steps):
        if isinstance(step, int):
            parts.append(f"[{step}]")
            continue
        names = [_as_name(name, is_first=not number) for name in (step if isinstance(step, Match) else (step,))]
        if None in names:
            return None
        parts.append(f"[{names[0]}={names[1]}]" if isinstance(step, Match) else f"{'.' if number else ''}{names[0]}")
    return "".join(parts)


def _as_name(name: str, *, is_first: bool) -> str | None:
    if re.fullmatch(_BARE, name, re.ASCII) and not (is_first and name == "$"):
        return name
    return next((f"{quote}{name}{quote}" for quote in "\"'`" if name and quote not in name), None)
