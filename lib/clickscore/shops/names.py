"""Names: what those of places tell about their values, and which ones fields get."""

import re
from collections.abc import Iterable

from clickscore.config.record_path import ESCAPED_IN_KEYS, Match, Step
from clickscore.scoring.contract import NOT_IN_NAMES, RESERVED

TIME = re.compile(
    r"(^|_)(time|timestamp|tstamp|ts|datetime|date|at|when|created|occurred|happened|sent|received|logged|zeit|zeitpunkt)"
    r"(_(ms|us|ns|utc|millis|micros))?$"
)
CODE = re.compile(r"(^|_)(\w*id|uuid|guid|key|hash|code|sku|ean|zip|postcode|postal|phone|number|no|version)$")
"""Names of what identifies or labels, even where it is written in digits."""
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_OTHERS = re.compile(r"\W+")
_OF_VALUES = frozenset({"value", "string_value", "int_value", "float_value", "double_value"})
_GENERIC = frozenset({"id", "key", "name", "type", "url", "value", "values", "code", "text", "path", "title", "count"})
"""Names that say nothing without the object that they are in."""


def words_of(steps: Iterable[Step]) -> list[str]:
    """Return the names on the way to a place, in lower case with underscores: ``pageUrl`` is ``page_url``."""
    words = []
    is_entry = False
    for step in steps:
        if isinstance(step, Match):
            words.append(snake(step.value))
            is_entry = True
        elif isinstance(step, str) and not (is_entry and step in _OF_VALUES):
            words.append(snake(step))
    return [word for word in words if word] or ["field"]


def snake(name: str) -> str:
    """Return a name in lower case, with underscores for what is no letter or digit."""
    return _OTHERS.sub("_", _HUMP.sub("_", name)).strip("_").lower()


def field_name(steps: tuple[Step, ...], taken: set[str]) -> str:
    """Return the name of the field that is read from a place: its own if a table takes it, or the shortest free one.

    Args:
        steps: the way to the place.
        taken: names of other fields, in lower case; the new one is added.
    """
    words = words_of(steps)
    shortest = 2 if words[-1] in _GENERIC and len(words) > 1 else 1
    joined = ["_".join(words[-length:]) for length in range(shortest, len(words) + 1)]
    own = [step for step in steps if len(steps) == 1 and isinstance(step, str) and _is_column(step)]
    numbered = (f"{joined[-1]}_{number}" for number in range(2, len(taken) + 3))
    name = next(name for name in (*own, *joined, *numbered) if name.lower() not in taken)
    taken.add(name.lower())
    return name


def reserved() -> set[str]:
    """Return the names that no field of a click may have."""
    return {name.lower() for name in RESERVED}


def _is_column(name: str) -> bool:
    return not set(name) & set(NOT_IN_NAMES + ESCAPED_IN_KEYS + "`.") and not name.startswith("_")
