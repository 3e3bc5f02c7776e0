"""Periods of time of equal width, so that a chart has a readable number of them, however long a stream has run."""

from collections.abc import Sequence
from datetime import datetime, timezone

MOST_PERIODS = 60
"""On a chart: more are too narrow on a phone."""
_MINUTE, _HOUR, DAY = 60, 3_600, 86_400
_NAMES = {
    10: "10 seconds", _MINUTE: "minute", 10 * _MINUTE: "10 minutes", _HOUR: "hour", 6 * _HOUR: "6 hours", DAY: "day",
    7 * DAY: "week", 28 * DAY: "4 weeks", 364 * DAY: "52 weeks",
}  # fmt: skip
WIDTHS: Sequence[int] = tuple(_NAMES)
"""Widths in seconds, narrowest first."""


def width_for(seconds: float, widths: Sequence[int] = WIDTHS) -> int:
    """Return the narrowest width of which ``MOST_PERIODS`` cover a time; the widest one if none does."""
    return next((width for width in widths if seconds <= width * MOST_PERIODS), widths[-1])


def name_of(width: int) -> str:
    """Return what people call a period of a width in seconds."""
    return _NAMES[width]


def label(start: float, width: int) -> str:
    """Return the name of the period that begins at a time, in seconds since 1970: a day, or a day and a time."""
    form = "%Y-%m-%d" if width >= DAY else "%Y-%m-%d %H:%M" if width >= _MINUTE else "%Y-%m-%d %H:%M:%S"
    return utc(start).strftime(form)


def utc(seconds: float) -> datetime:
    """Return a time that is told in seconds since 1970."""
    return datetime.fromtimestamp(seconds, timezone.utc)


def iso(seconds: float) -> str:
    """Return a time as charts read it: ISO 8601, with its zone."""
    return utc(seconds).isoformat()
