"""Records of Avro and Protobuf for tests, and the schemas that they are written with."""

import base64
import io
from typing import Any

import fastavro
import pyarrow as pa
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from clickscore.scoring.parsing import Parsed, Parser
from clickscore.scoring.wire import Wire, with_wire

TYPES = {
    "double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "fixed32": 7, "bool": 8, "string": 9, "bytes": 12,
    "sfixed64": 16, "sint64": 18,
}  # fmt: skip


def framed(schema_id: int, payload: bytes) -> bytes:
    """Return a record as Confluent's serializers write it; that of Protobuf names its message in the payload."""
    return b"\0" + schema_id.to_bytes(4, "big") + payload


def avro_bytes(schema: Any, value: Any) -> bytes:
    """Return a value as plain Avro."""
    written = io.BytesIO()
    fastavro.schemaless_writer(written, fastavro.parse_schema(schema), value)
    return written.getvalue()


def parsed_as(click: pa.Schema, wire: Wire, *records: bytes | None) -> Parsed:
    """Return what becomes of records that are written in some way."""
    return Parser(with_wire(click, wire)).parse(pa.array(records, pa.binary()))


def proto_file(*fields: str, name: str = "shop.proto") -> FileDescriptorProto:
    """Return a file with the message ``shop.Click``: fields such as ``string event_id`` or ``optional double price``.

    A type with a dot is a message; ``repeated`` and ``optional`` are as in a ``.proto`` file.
    """
    file = FileDescriptorProto(name=name, package="shop", syntax="proto3")
    message = file.message_type.add(name="Click")
    for number, text in enumerate(fields, 1):
        *label, kind, field_name = text.split()
        field = message.field.add(name=field_name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        if "repeated" in label:
            field.label = FieldDescriptorProto.LABEL_REPEATED
        if "optional" in label:
            field.proto3_optional, field.oneof_index = True, len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field_name}")
        if kind in TYPES:
            field.type = TYPES[kind]
        else:
            field.type, field.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{kind}"
            if kind.startswith("google."):
                imported = f"google/protobuf/{'wrappers' if kind.endswith('Value') else 'timestamp'}.proto"
                if imported not in file.dependency:
                    file.dependency.append(imported)
    return file


def serialized(file: FileDescriptorProto) -> str:
    """Return a file as a registry keeps it."""
    return base64.b64encode(file.SerializeToString()).decode()


def proto_message(file: FileDescriptorProto, name: str = "shop.Click") -> Any:
    """Return the class of a message of a file that imports Google's times and wrappers at most."""
    from google.protobuf import timestamp_pb2, wrappers_pb2

    pool = DescriptorPool()
    for known in (timestamp_pb2, wrappers_pb2):
        pool.Add(FileDescriptorProto.FromString(known.DESCRIPTOR.serialized_pb))
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(name))
