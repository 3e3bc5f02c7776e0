"""What do Avro and Protobuf cost against JSON, from the bytes of a record to the columns of a click?

The same clicks in each format, without Spark, in one process; the formats take turns. For the cost of a whole run, see
`make bench-sources`. Run it with `make bench-wire`.
"""

import argparse
import io
import json
import time
from pathlib import Path
from typing import Any

import fastavro
import pyarrow as pa
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet
from google.protobuf.message_factory import GetMessageClass
from rich.console import Console
from rich.table import Table

from clickscore.config.run import load
from clickscore.scoring.contract import contract_of
from clickscore.scoring.parsing import Parser
from clickscore.scoring.protobuf_schemas import message_of
from clickscore.scoring.wire import Wire, with_wire
from shopsim import feed
from shopsim.records import Faults

CLICKS, ROUNDS, SEED, START_MS = 10_000, 15, 7, 1_772_323_200_000
US = 1e6
AVRO = {pa.string(): "string", pa.int32(): "int", pa.int64(): "long", pa.float64(): "double", pa.bool_(): "boolean"}
PROTOBUF = {pa.string(): 9, pa.int32(): 5, pa.int64(): 3, pa.float64(): 1, pa.bool_(): 8}
TIMESTAMP = ".google.protobuf.Timestamp"


def as_avro(click: pa.Schema, rows: list[dict[str, Any]]) -> tuple[Wire, list[bytes]]:
    """Return the clicks as Avro: optional fields as unions with null, times in microseconds."""
    fields = []
    for field in click:
        kind = AVRO.get(field.type, {"type": "long", "logicalType": "timestamp-micros"})
        fields.append({"name": field.name, "type": ["null", kind] if field.nullable else kind})
    schema = {"type": "record", "name": "Click", "fields": fields}
    parsed, records = fastavro.parse_schema(schema), []
    for row in rows:
        fastavro.schemaless_writer(written := io.BytesIO(), parsed, row)
        records.append(written.getvalue())
    return Wire("avro", schema=json.dumps(schema).encode()), records


def as_protobuf(click: pa.Schema, rows: list[dict[str, Any]]) -> tuple[Wire, list[bytes]]:
    """Return the clicks as Protobuf: fields that are `optional` where the contract has them so."""
    file = FileDescriptorProto(name="click.proto", package="shop", syntax="proto3")
    file.dependency.append("google/protobuf/timestamp.proto")
    message = file.message_type.add(name="Click")
    for number, field in enumerate(click, 1):
        made = message.field.add(name=field.name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
        made.type = PROTOBUF.get(field.type, FieldDescriptorProto.TYPE_MESSAGE)
        if field.type not in PROTOBUF:
            made.type_name = TIMESTAMP
        elif field.nullable:
            made.proto3_optional, made.oneof_index = True, len(message.oneof_decl)
            message.oneof_decl.add(name=f"_{field.name}")
    descriptors = FileDescriptorSet(file=[file]).SerializeToString()
    kind = GetMessageClass(message_of(descriptors, "shop.Click"))
    records = [kind(**{name: value for name, value in row.items() if value is not None}) for row in rows]
    wire = Wire("protobuf", schema=descriptors, message="shop.Click")
    return wire, [record.SerializeToString() for record in records]


def main() -> None:
    """Print the table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = arguments.parse_args().rounds
    click = contract_of(load(Path("conf/local.yaml")).click).click
    records = next(feed.past(CLICKS, CLICKS, START_MS, 30, SEED, Faults()))
    clicks = Parser(click).parse(records).clicks
    arms: dict[str, tuple[Parser, pa.BinaryArray]] = {"JSON": (Parser(click), records)}
    for name, make in (("Avro", as_avro), ("Protobuf", as_protobuf)):
        wire, written = make(click, clicks.to_pylist())
        arms[name] = Parser(with_wire(click, wire)), pa.array(written, pa.binary())
    costs: dict[str, list[float]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name, (parser, raw) in arms.items():
            begun = time.process_time()
            found = parser.parse(raw)
            costs[name].append((time.process_time() - begun) * US / CLICKS)
            assert not found.rejections and found.clicks.equals(clicks), name
    table = Table("format", "bytes", "CPU us/record, best", "of JSON")
    for name, (_, raw) in arms.items():
        cost, size = min(costs[name]), raw.get_total_buffer_size() / CLICKS
        table.add_row(name, f"{size:.0f}", f"{cost:.2f}", f"{cost / min(costs['JSON']):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
