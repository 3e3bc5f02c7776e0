"""What a click looks like: its fields, which of them have a role, and how each is read from a record."""

from datetime import datetime, timezone
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, Field

from clickscore.config.fields import ExistingFile, Section, Text, nearest

_PROBE = datetime(2026, 11, 28, 13, 14, 15, 678_901, timezone.utc)
"""A time whose parts all differ: a format that loses one of them reads it back as another time."""


def _format(text: str) -> str:
    if "%Z" in text:
        raise ValueError(f"{text!r} has %Z, which depends on the machine; use %z, or name the zone in zone")
    try:
        found = datetime.strptime(_PROBE.strftime(text), text)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be used: {error}") from None
    if found.date() != _PROBE.date():
        raise ValueError(f"{text!r} needs a year, a month and a day, such as %Y-%m-%d")
    if found.hour not in (0, _PROBE.hour):
        raise ValueError(f"{text!r} has an hour of twelve without %p")
    return text


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = nearest(name, available_timezones())
        raise ValueError(f"expected a time zone such as Europe/Zurich, found {name!r}{hint}") from None
    return name


class FieldSource(Section):
    """How one field of a click is read from a record.

    Example::

        from:
          event_time: {format: "%d.%m.%Y %H:%M", zone: Europe/Zurich}

    Attributes:
        format: how the field's times are written, in Python's ``strptime``; only times of this format are taken then.
        zone: the time zone of times that name none; left out, they are UTC.
    """

    format: Annotated[Text, AfterValidator(_format)] | None = None
    zone: Annotated[Text, AfterValidator(_zone)] | None = None


class Click(Section):
    """What a click looks like.

    Example::

        click:
          schema:  conf/click.ddl
          id:      event_id
          time:    event_time
          visitor: visitor_id
          from:    {event_time: {zone: Europe/Zurich}}
          lenient: [price, quantity]

    Attributes:
        ddl: file with the fields of a click in Spark DDL.
        id: the field that identifies a click.
        time: the field with the event time, a ``TIMESTAMP``.
        visitor: the field that identifies a visitor.
        sources: fields that are read in a way of their own, by name, each with that way.
        lenient: fields that take numbers and booleans written as text, ``5.0`` for a whole number, and numbers for a
            ``STRING``.
    """

    ddl: Annotated[ExistingFile, Field(alias="schema")]
    id: Text
    time: Text
    visitor: Text
    sources: Annotated[dict[Text, FieldSource], Field(alias="from", default_factory=dict)]
    lenient: Annotated[tuple[Text, ...], Field(strict=False)] = ()
