"""How times are written: formats of ``strptime`` and names of time zones, checked before a record is read with them."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_PROBE = datetime(2026, 11, 28, 13, 14, 15, 678_901, timezone.utc)
"""A time whose parts all differ: a format that loses one of them reads it back as another time."""


def check_format(text: str) -> None:
    """Make sure that a format reads back the times that it writes, on every machine.

    Raises:
        ValueError: if not.
    """
    if "%Z" in text:
        raise ValueError(f"{text!r} has %Z, which depends on the machine; use %z, or name the zone in zone")
    try:
        found = datetime.strptime(_PROBE.strftime(text), text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be used: {error}") from None
    if found.date() != _PROBE.date():
        raise ValueError(f"{text!r} needs a year, a month and a day, such as %Y-%m-%d")
    if found.hour not in (0, _PROBE.hour):
        raise ValueError(f"{text!r} has a 12-hour clock (%I) without %p")


def check_zone(name: str) -> None:
    """Make sure that there is a time zone of a name.

    Raises:
        ValueError: if not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"expected a time zone such as Europe/Zurich, found {name!r}") from None
