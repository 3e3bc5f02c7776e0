"""What a page is made of: sections that answer a question with sentences, charts and grids."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

NOTHING = "–"
"""What a cell shows where there is no value."""

Spec = dict[str, Any]
"""A chart as Vega-Lite describes it, with its data."""


@dataclass(frozen=True)
class Grid:
    """Rows of texts below a heading.

    Attributes:
        columns: the heading; a name with ``>`` before it is that of a column of numbers.
        rows: as many texts each as there are columns.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A chart, and the same numbers as a grid.

    Attributes:
        name: tells it from the others of the page; letters and hyphens.
        title: what it shows, with the unit.
        spec: how it is drawn.
        grid: the numbers that it draws.
        note: what to know when reading it.
    """

    name: str
    title: str
    spec: Spec
    grid: Grid
    note: str = ""


@dataclass(frozen=True)
class Section:
    """The answer to a question.

    Attributes:
        name: the anchor of the section.
        question: its heading.
        sentences: the answer in words.
        charts: what shows it.
        grids: tables with their titles.
    """

    name: str
    question: str
    sentences: tuple[str, ...]
    charts: tuple[Chart, ...] = ()
    grids: tuple[tuple[str, Grid], ...] = ()


@dataclass(frozen=True)
class Figure:
    """A number that a reader looks for first.

    Attributes:
        label: what it counts.
        value: the number, with its unit.
    """

    label: str
    value: str


_DURATIONS = ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))
_UP_TO = 2.0
"""A duration is told in the largest unit of which there are at least as many."""


def unit_of(seconds: float) -> tuple[float, str]:
    """Return the unit in which a duration reads best: its seconds, and its name."""
    return next(((size, name) for size, name in _DURATIONS if abs(seconds) >= _UP_TO * size), _DURATIONS[-1])


def duration(seconds: float | None) -> str:
    """Return a duration for people, such as ``1.4 s`` or ``3.0 days``."""
    if seconds is None:
        return NOTHING
    size, name = unit_of(seconds)
    return f"{seconds / size:,.1f} {name}"


def count(number: float | None) -> str:
    """Return a whole number with separators."""
    return NOTHING if number is None else f"{number:,.0f}"


def share(part: float, whole: float) -> str:
    """Return a part of a whole in percent; a small part never looks like none."""
    percent = 100 * part / whole if whole else 0.0
    return f"{percent:.2g}%" if 0 < percent < 1 else f"{percent:.1f}%"


def moment(time: datetime | None) -> str:
    """Return a time of UTC to the second."""
    return NOTHING if time is None else f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S}"


def plural(number: int, noun: str) -> str:
    """Return a number with its noun, such as ``1 click`` or ``2 clicks``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith('ch') else 's'}"


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return the first of some names, and how many there are beyond them."""
    names = list(names)
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")
