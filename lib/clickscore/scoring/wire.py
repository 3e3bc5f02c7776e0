"""How the bytes of a record become objects and values, where they are no JSON; it travels in the metadata of a click.

So it comes along wherever the fields go: into the workers of Spark, into the search for duplicates and the audit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pyarrow as pa

from clickscore.errors import ConfigError
from clickscore.scoring.record_tree import Node

if TYPE_CHECKING:  # a program that embeds the scorer has no pydantic, and may have no fastavro
    from clickscore.config.value import Value
    from clickscore.scoring.record_groups import Opener, RecordGroups

AVRO, PROTOBUF = "avro", "protobuf"
KEY = "source.value"
"""Key of the configuration, for messages."""
WIRE = b"wire"
"""Key in the metadata of an Arrow schema."""
_NEEDS = {AVRO: "fastavro", PROTOBUF: "google.protobuf"}
_REGISTRY_NEEDS = ("confluent_kafka", "httpx2", "authlib", "cachetools")


class UndecodableError(Exception):
    """Raised for a record that cannot be taken apart.

    Attributes:
        reason: its reason code.
        detail: what was expected, and what was found.
    """

    def __init__(self, reason: str, detail: str) -> None:
        """Keep both."""
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Wire:
    """How records are written.

    Attributes:
        format: ``avro`` or ``protobuf``.
        registry: address of the schema registry; None for records that all have one schema.
        username: reference to the user name at the registry.
        password: reference to the password.
        ca: path of the certificates that the registry's own is checked with.
        schema: the schema file: of Avro, as text; of Protobuf, a ``FileDescriptorSet``.
        message: full name of the message in the schema file.
    """

    format: str
    registry: str | None = None
    username: str | None = None
    password: str | None = None
    ca: str | None = None
    schema: bytes | None = None
    message: str | None = None


Open = Callable[[bytes], Any]
"""Turns a record into objects and values; raises UndecodableError."""

_decode: Callable[[bytes], Wire] = msgspec.json.Decoder(Wire).decode


def wire_of(click: pa.Schema) -> Wire | None:
    """Return how the records of a click are written; None for JSON."""
    text = (click.metadata or {}).get(WIRE)
    return None if text is None else _decode(text)


def with_wire(click: pa.Schema, wire: Wire) -> pa.Schema:
    """Return the fields of a click with the way in which its records are written."""
    return click.with_metadata({**(click.metadata or {}), WIRE: msgspec.json.encode(wire)})


def read_wire(value: "Value") -> Wire | None:
    """Read what a configuration says of the values of records, with its schema file; None for JSON.

    Raises:
        ConfigError: if a package is missing, or the schema file cannot be used.
    """
    if value.format == "json":
        return None
    needed = [_NEEDS[value.format], *(_REGISTRY_NEEDS if value.registry else ())]
    if missing := [name for name in needed if not _is_there(name)]:
        raise ConfigError(
            KEY,
            [f"{value.format} needs the package {', '.join(missing)}; run pip install 'clickscore[{value.format}]'"],
        )
    ca = str(value.ca) if value.ca else None
    schema = Path(value.file).read_bytes() if value.file else None
    wire = Wire(value.format, value.registry, value.username, value.password, ca, schema, value.message)
    if schema is not None:
        try:
            opener(wire, [])
        except UndecodableError as error:
            raise ConfigError(KEY, [f"the schema {value.file} cannot be used: {error.detail}"]) from None
    return wire


def opener(wire: Wire, trees: Sequence[Node]) -> Open:
    """Return what takes records apart, with a cache of their schemas.

    Args:
        wire: how they are written.
        trees: what is wanted of them; Avro yields everything, Protobuf no more than that.

    Raises:
        UndecodableError: if the schema file cannot be used.
    """
    # Imported here: their packages are there only where such records are.
    if wire.format == AVRO:
        from clickscore.scoring.avro import AvroOpener

        return AvroOpener(wire)
    from clickscore.scoring.protobuf import ProtobufOpener

    return ProtobufOpener(wire, trees)


def column_reader(open: Open | None, click: pa.Schema) -> "RecordGroups | None":
    """Return what reads many records at once; None for JSON, whose decoder is as fast one by one."""
    if not open:
        return None
    from clickscore.scoring.record_groups import RecordGroups

    return RecordGroups(cast("Opener", open), click)


def check_registry(click: pa.Schema) -> None:
    """Make sure that the schema registry, where records name their schemas, answers and takes the login.

    Raises:
        SourceUnavailableError: if it does not answer now.
        SourceError: if it refuses the login, or answers in another protocol.
    """
    wire = wire_of(click)
    if wire and wire.registry:
        from clickscore.scoring.schema_registry import SchemaRegistry

        SchemaRegistry(wire).check()


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the parent of a dotted name
        return False
