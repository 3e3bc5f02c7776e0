"""Schemas of Protobuf, as descriptors: from a registry, from a file, and those that every schema may import."""

import base64
import binascii
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from clickscore.errors import SourceError
from clickscore.reasons import UNKNOWN_SCHEMA
from clickscore.scoring.wire import KEY, UndecodableError, Wire

TIME, DECIMAL = "google.protobuf.Timestamp", "confluent.type.Decimal"
WRAPPERS = {f"google.protobuf.{name}Value" for name in ("Bool", "Bytes", "Double", "Float", "Int32", "Int64", "String",
                                                        "UInt32", "UInt64")}  # fmt: skip
"""Messages that stand for the value that they hold."""
_GOOGLE = ("any", "duration", "empty", "field_mask", "struct", "timestamp", "wrappers")
BUILT_IN = {
    **{f"google/protobuf/{name}.proto": f"google.protobuf.{name}_pb2" for name in (*_GOOGLE, "descriptor")},
    "confluent/meta.proto": "confluent_kafka.schema_registry.confluent.meta_pb2",
    "confluent/type/decimal.proto": "confluent_kafka.schema_registry.confluent.type.decimal_pb2",
}
"""Files that a schema may import without a reference: name to the module that has them."""


def file_of(text: str | None, wire: Wire) -> Any:
    """Return the file that a registry gives in the format ``serialized``.

    Raises:
        SourceError: if it gives something else.
    """
    try:
        return FileDescriptorProto.FromString(base64.b64decode(text or "", validate=True))
    except (binascii.Error, DecodeError):
        raise SourceError(
            f"{KEY}.registry: expected that {wire.registry} gives schemas of Protobuf as descriptors, in the format "
            f"serialized, found something else. Use a registry that does, or records without a registry's id."
        ) from None


def pool_of(files: Iterable[Any]) -> DescriptorPool:
    """Return what knows some files, each after those that it imports, and the files that every schema may import.

    Raises:
        UndecodableError: if they do not fit together.
    """
    pool = DescriptorPool()
    try:
        for file in files:
            _add_imported(pool, file)
            pool.Add(file)
            pool.FindFileByName(file.name)
    except (TypeError, KeyError) as error:
        raise UndecodableError(UNKNOWN_SCHEMA, f"no usable schema of Protobuf: {error}") from None
    return pool


def _add_imported(pool: DescriptorPool, file: Any) -> None:
    for name in file.dependency:
        try:
            pool.FindFileByName(name)
        except KeyError:
            if name not in BUILT_IN:
                raise KeyError(f"it imports {name}, which is not there") from None
            imported = FileDescriptorProto.FromString(import_module(BUILT_IN[name]).DESCRIPTOR.serialized_pb)
            _add_imported(pool, imported)
            pool.Add(imported)


def message_of(descriptors: bytes, name: str) -> Any:
    """Return a message of a ``FileDescriptorSet``.

    Raises:
        UndecodableError: if it is not there.
    """
    try:
        return pool_of(FileDescriptorSet.FromString(descriptors).file).FindMessageTypeByName(name)
    except (DecodeError, KeyError) as error:
        raise UndecodableError(UNKNOWN_SCHEMA, f"expected descriptors with a message {name}: {error}") from None
