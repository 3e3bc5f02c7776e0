"""Records of Protobuf become objects and values: enums their name, times and wrappers what they stand for.

A field is known by the name that the ``.proto`` file gives it. One that can tell whether it was set, and was not, is
absent; any other has the value of its type then, as Protobuf has it: 0, false or an empty text.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

import pyarrow as pa
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from clickscore.reasons import INVALID_TIME, MALFORMED_PROTOBUF
from clickscore.scoring import protobuf_columns
from clickscore.scoring.framing import FIRST_MESSAGE, HEADER_BYTES, BySchema, message_indexes
from clickscore.scoring.protobuf_schemas import DECIMAL, TIME, WRAPPERS, file_of, message_of, pool_of
from clickscore.scoring.record_groups import ReadColumns
from clickscore.scoring.record_tree import Node
from clickscore.scoring.times import BEYOND_YEARS, EPOCH
from clickscore.scoring.values import WHOLE, scaled
from clickscore.scoring.wire import Open, UndecodableError, Wire

Make = Callable[[Any], Any]
"""Turns the value of a field into an object or a value."""


class _Field(NamedTuple):
    name: str
    can_be_absent: bool
    make: Make


class _Fields(NamedTuple):
    """Of a message: values that are taken as they are, together; those of them that may be absent; and the others."""

    plain: list[str]
    get: Callable[[Any], Sequence[Any]]
    optional: list[str]
    others: list[_Field]


class ProtobufOpener:
    """Takes records of Protobuf apart.

    Attributes:
        start: at which byte the first message of a schema begins.
    """

    def __init__(self, wire: Wire, trees: Sequence[Node]) -> None:
        """Prepare the schema file, or the way to the registry.

        Args:
            wire: how records are written.
            trees: what is wanted of them.

        Raises:
            UndecodableError: if the schema file cannot be used.
        """
        self.start = HEADER_BYTES + len(FIRST_MESSAGE) if wire.registry else 0
        self._message: Any = None
        if not wire.registry:
            self._message = message_of(wire.schema or b"", wire.message or "")
            self._open_alone = _opener(self._message, trees)
            return
        from clickscore.scoring.schema_registry import SchemaRegistry  # without a registry, its client may be missing

        registry = SchemaRegistry(wire)

        def messages_of(id: int) -> "_Messages":
            schema = registry.schema(id, "PROTOBUF", "serialized")
            parts = {name: file_of(part.schema_str, wire) for name, part in registry.referenced(schema, "serialized")}
            for name, part in parts.items():
                part.name = name
            file = file_of(schema.schema_str, wire)
            return _Messages(pool_of([*parts.values(), file]), file, trees)

        self._schemas = BySchema(MALFORMED_PROTOBUF, messages_of)

    def __call__(self, record: bytes) -> Any:
        """Return the objects and values of a record; raises UndecodableError."""
        if self._message:
            return self._open_alone(record)
        messages = self._schemas.reader_of(record)
        indexes, start = message_indexes(record, HEADER_BYTES)
        return messages.opener(indexes)(record[start:])

    def column_reader(self, header: bytes, click: pa.Schema) -> ReadColumns | None:
        """Return what reads the first message of a schema at once; None if its records are read one by one."""
        if self._message:
            return protobuf_columns.reader(self._message, click)
        messages = self._schemas.reader_of(header)
        is_first = header[HEADER_BYTES:] == FIRST_MESSAGE
        return protobuf_columns.reader(messages.descriptor((0,)), click) if is_first else None


class _Messages:
    """The messages of a schema, by their numbers in it."""

    def __init__(self, pool: DescriptorPool, file: Any, trees: Sequence[Node]) -> None:
        self._file, self._trees = pool.FindFileByName(file.name), trees
        # In the order of the file; a descriptor knows its messages by name only.
        self._names = [message.name for message in file.message_type]
        self._openers: dict[tuple[int, ...], Open] = {}

    def opener(self, indexes: tuple[int, ...]) -> Open:
        if indexes not in self._openers:
            self._openers[indexes] = _opener(self.descriptor(indexes), self._trees)
        return self._openers[indexes]

    def descriptor(self, indexes: tuple[int, ...]) -> Any:
        try:
            descriptor = self._file.message_types_by_name[self._names[indexes[0]]]
            for index in indexes[1:]:
                descriptor = descriptor.nested_types[index]
        except IndexError:
            detail = f"expected a message of the schema, found number {list(indexes)}, which it does not have"
            raise UndecodableError(MALFORMED_PROTOBUF, detail) from None
        return descriptor


def _opener(descriptor: Any, trees: Sequence[Node]) -> Open:
    parse = GetMessageClass(descriptor).FromString
    as_object = _object(descriptor, tuple(trees))

    def take_apart(record: bytes) -> Any:
        try:
            return as_object(parse(record))
        except DecodeError as error:
            raise UndecodableError(MALFORMED_PROTOBUF, f"the record is not a {descriptor.full_name}: {error}") from None

    return take_apart


def _object(descriptor: Any, nodes: tuple[Node, ...]) -> Make:
    """Return what makes an object of a message: of all of its fields, or of those that are wanted."""
    if descriptor.full_name in _KNOWN:
        return _KNOWN[descriptor.full_name]
    fields: list[_Fields] = []

    def as_object(message: Any) -> dict[str, Any]:
        if not fields:  # only now, as a message may hold its own kind
            fields.append(_fields_of(descriptor, nodes))
        plain, get, optional, others = fields[0]
        has = message.HasField
        found = dict(zip(plain, get(message), strict=True))
        for name in optional:
            if not found[name] and not has(name):
                del found[name]
        for field in others:
            if not field.can_be_absent or has(field.name):
                found[field.name] = field.make(getattr(message, field.name))
        return found

    return as_object


def _fields_of(descriptor: Any, nodes: tuple[Node, ...]) -> _Fields:
    fields = list(_wanted(descriptor, nodes))
    plain = [field for field in fields if field.make is _same]
    names, others = [field.name for field in plain], [field for field in fields if field.make is not _same]
    get = attrgetter(*names) if len(names) > 1 else lambda message: [getattr(message, name) for name in names]
    return _Fields(names, get, [field.name for field in plain if field.can_be_absent], others)


def _wanted(descriptor: Any, nodes: tuple[Node, ...]) -> Iterable[_Field]:
    is_whole = not nodes or any(node.leaf for node in nodes)
    for field in descriptor.fields:
        inner = tuple(node.fields[field.name] for node in nodes if field.name in node.fields)
        if inner or is_whole:
            make = _value(field, inner)
            # One that was not set would look as if it was.
            has_default = field.has_presence and not field.message_type and field.default_value
            yield _Field(field.name, field.has_presence, _copied if make is _same and has_default else make)


def _value(field: Any, nodes: tuple[Node, ...]) -> Make:
    entry = field.message_type
    if entry and entry.GetOptions().map_entry:
        return partial(_map, _single(entry.fields_by_name["value"], ()))
    if field.is_repeated:
        make = _single(field, tuple(node.elements for node in nodes if node.elements))
        return lambda values: list(map(make, values))
    return _single(field, nodes)


def _single(field: Any, nodes: tuple[Node, ...]) -> Make:
    if field.message_type:
        return _object(field.message_type, nodes)
    if field.enum_type and not any(node.leaf and node.leaf[0] in WHOLE for node in nodes):
        names = {value.number: value.name for value in field.enum_type.values}
        return lambda number: names.get(number, number)  # one that the schema does not name stays a number
    return _same


def _same(value: Any) -> Any:
    return value


def _copied(value: Any) -> Any:
    return value


def _map(make: Make, values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): make(value) for key, value in values.items()}


def _time(message: Any) -> dt.datetime:
    try:
        return EPOCH + dt.timedelta(seconds=message.seconds, microseconds=message.nanos // 1_000)
    except OverflowError:
        raise UndecodableError(INVALID_TIME, BEYOND_YEARS) from None


_KNOWN: dict[str, Make] = {
    TIME: _time,
    DECIMAL: lambda message: scaled(message.value, message.scale),
    **dict.fromkeys(WRAPPERS, lambda message: message.value),
}
"""Messages that stand for a value."""
