"""How the fields of a click are read from a record; it travels in the metadata of each Arrow field.

So it comes along wherever the fields go: into the workers of Spark, and with the id alone into the audit.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec
import pyarrow as pa

from clickscore.config.record_path import Step, parse_path

READING = b"reading"
"""Key in the metadata of an Arrow field, beside its comment."""


@dataclass(frozen=True)
class Reading:
    """How one field is read.

    Attributes:
        paths: where it stands in a record, the first that is there, or all that it is made of; none for its own name.
        constant: what it is in every click; None for a field that is read.
        format: how its times are written, in Python's ``strptime``; None for the usual spellings.
        zone: the time zone of times that name none; None for UTC.
        is_lenient: whether numbers and booleans may come as text, and numbers for a text.
        is_joined: whether it is a text made of what stands at all of its paths.
    """

    paths: tuple[str, ...] = ()
    constant: str | bool | int | float | None = None
    format: str | None = None
    zone: str | None = None
    is_lenient: bool = False
    is_joined: bool = False

    @property
    def of_value(self) -> "Reading":
        """How a value is read, wherever it stands."""
        return replace(self, paths=(), constant=None, is_joined=False)


PLAIN = Reading()
"""How a field is read unless the configuration says otherwise."""

_decode: Callable[[bytes], Reading] = msgspec.json.Decoder(Reading).decode


def reading_of(field: pa.Field) -> Reading:
    """Return how a field is read."""
    text = (field.metadata or {}).get(READING)
    return PLAIN if text is None else _decode(text)


def readings_of(click: pa.Schema) -> dict[str, Reading]:
    """Return how fields are read, by their names; of those that are read as usual, none."""
    return {field.name: reading for field in click if (reading := reading_of(field)) != PLAIN}


def steps_of(field: pa.Field) -> tuple[tuple[Step, ...], ...]:
    """Return the paths that a field is read from; none for a constant; see ``needed_steps_of``."""
    reading = reading_of(field)
    if reading.constant is not None:
        return ()
    return tuple(map(parse_path, reading.paths)) or ((field.name,),)


def column_of(field: pa.Field) -> str | None:
    """Return the part at the top of a record that is the value of a field; None if it is not just one."""
    paths = steps_of(field)
    return str(paths[0][0]) if len(paths) == 1 and len(paths[0]) == 1 else None


def needed_steps_of(field: pa.Field) -> tuple[tuple[Step, ...], ...]:
    """Return the paths of which a record needs every one to have a field: all that it is made of, or the first one."""
    steps = steps_of(field)
    return steps if reading_of(field).is_joined else steps[:1]


def writing_order(click: pa.Schema) -> list[pa.Field]:
    """Return the fields as a record can be written: one that is made of several places before those that are there.

    Such a place takes any text or number; another field that reads it may have a type of its own.
    """
    return sorted(click, key=lambda field: not reading_of(field).is_joined)


def place_of(field: pa.Field) -> str:
    """Return where a field stands in a record, for messages."""
    reading = reading_of(field)
    return (" + " if reading.is_joined else " or ").join(reading.paths) or field.name


def with_reading(field: pa.Field, reading: Reading) -> pa.Field:
    """Return the field with the way in which it is read."""
    if reading == PLAIN:
        return field
    return field.with_metadata({**(field.metadata or {}), READING: msgspec.json.encode(reading)})


def reading_problems(click: pa.Schema, readings: Mapping[str, Reading]) -> list[str]:
    """Find what is said of fields that there are not, or that cannot be read so.

    Args:
        click: the fields of a click.
        readings: how some of them are read, by their names.
    """
    problems = []
    for name, reading in readings.items():
        key = "click.lenient" if reading == Reading(is_lenient=True) else "click.from"
        if name not in click.names:
            problems.append(f"{key}: there is no field {name}; there are {', '.join(click.names)}")
            continue
        kinds = set(_single_values(click.field(name).type))
        has_times = any(map(pa.types.is_timestamp, kinds))
        if reading.zone and not has_times:
            problems.append(f"click.from.{name}: zone needs a TIMESTAMP, and the field has none")
        if reading.format and not (has_times or any(map(pa.types.is_date, kinds))):
            problems.append(f"click.from.{name}: format needs a TIMESTAMP or a DATE, and the field has none")
        if reading.is_joined and kinds != {pa.string()}:
            problems.append(f"click.from.{name}: concat makes a text, so the field must be a STRING")
        elif reading.is_lenient and all(map(pa.types.is_temporal, kinds)):
            problems.append(f"click.lenient: {name} has times only, whose spellings are all read anyway")
    return problems


def _single_values(kind: pa.DataType) -> Iterator[pa.DataType]:
    """Yield the types of the single values in a type; keys of a map are no values."""
    if pa.types.is_list(kind):
        yield from _single_values(kind.value_type)
    elif pa.types.is_map(kind):
        yield from _single_values(kind.item_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _single_values(field.type)
    else:
        yield kind
