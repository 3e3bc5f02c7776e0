"""What a click looks like: its fields, which of them have a role, and how each is read from a record."""

from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, model_validator

from clickscore.config.fields import ExistingFile, Section, Text, nearest
from clickscore.config.record_path import parse_path
from clickscore.config.time_format import check_format, check_zone


def _format(text: str) -> str:
    check_format(text)
    return text


def _path(text: str) -> str:
    parse_path(text)
    return text


def _zone(name: str) -> str:
    try:
        check_zone(name)
    except ValueError as error:
        raise ValueError(f"{error}{nearest(name, available_timezones())}") from None
    return name


RecordPath = Annotated[Text, AfterValidator(_path)]
"""Where a value stands in a record, such as ``context.page.url``."""


class FieldSource(Section):
    """Where one field of a click stands in a record, and how it is read.

    Example::

        from:
          page_url:   context.page.url
          product:    properties.products[0].sku
          device:     properties."$device_type"
          location:   event_params[key=page_location].value.string_value
          visitor_id: [userId, anonymousId]
          shop:       {constant: eu}
          event_id:   {concat: [user_pseudo_id, event_timestamp, event_name]}
          event_time: {path: sent, format: "%d.%m.%Y %H:%M", zone: Europe/Zurich}

    Attributes:
        path: where the field stands; of several paths, the first that is there and not null. A path alone may stand for
            the whole entry. Left out, the field stands under its own name.
        constant: what the field is in every click.
        concat: paths whose texts and numbers make the field together, with ``|`` between them, for records that have no
            id of their own. A click that lacks one of them lacks the field.
        format: how the field's times are written, in Python's ``strptime``; only times of this format are taken then.
        zone: the time zone of times that name none; left out, they are UTC.
    """

    path: tuple[RecordPath, ...] = ()
    constant: str | bool | int | float | None = None
    concat: Annotated[tuple[RecordPath, ...], Field(strict=False)] = ()
    format: Annotated[Text, AfterValidator(_format)] | None = None
    zone: Annotated[Text, AfterValidator(_zone)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, value: object) -> object:
        """Let a path alone, or several, stand for the whole section."""
        keys = {"path": value} if isinstance(value, str | list) else value
        if isinstance(keys, dict) and isinstance(path := keys.get("path"), str | list):
            keys = keys | {"path": tuple([path] if isinstance(path, str) else path)}
        return keys

    @model_validator(mode="after")
    def _has_one_origin(self) -> "FieldSource":
        origins = {"a path": self.path, "a constant": self.constant is not None, "concat": self.concat}
        found = [name for name, value in origins.items() if value]
        if len(found) > 1:
            raise ValueError(f"has {' and '.join(found)}; keep one of them")
        if len(self.concat) == 1:
            raise ValueError(f"concat needs two paths or more; write {self.concat[0]!r} as the path instead")
        return self


class Click(Section):
    """What a click looks like.

    Example::

        click:
          schema:  conf/click.ddl
          id:      event_id
          time:    event_time
          visitor: visitor_id
          from:    {event_id: messageId, visitor_id: [userId, anonymousId]}
          lenient: [price, quantity]

    Attributes:
        ddl: file with the fields of a click in Spark DDL.
        id: the field that identifies a click.
        time: the field with the event time, a ``TIMESTAMP``.
        visitor: the field that identifies a visitor.
        sources: where fields stand in a record that have another name or place there, and how their times are written.
        lenient: fields that take numbers and booleans written as text, ``5.0`` for a whole number, and numbers for a
            ``STRING``.
    """

    ddl: Annotated[ExistingFile, Field(alias="schema")]
    id: Text
    time: Text
    visitor: Text
    sources: Annotated[dict[Text, FieldSource], Field(alias="from", default_factory=dict)]
    lenient: Annotated[tuple[Text, ...], Field(strict=False)] = ()
