"""Which messages of Protobuf are read many at once, and what their fields may become."""

import pyarrow as pa
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from tests.support.wire import proto_file

from clickscore.scoring.protobuf_fields import NotReadError, fields_of, fits, leaves
from clickscore.scoring.protobuf_schemas import message_of


def leaves_of(file: FileDescriptorProto) -> dict[tuple[str, ...], str]:
    descriptor = message_of(FileDescriptorSet(file=[file]).SerializeToString(), "shop.Click")
    return {path: field.kind for path, field in leaves(list(fields_of(descriptor)))}


def test_fields_are_known_by_their_paths_and_kinds() -> None:
    file = proto_file(
        "string id", "google.protobuf.Timestamp at", "google.protobuf.DoubleValue price", "shop.Page page"
    )
    page = file.message_type.add(name="Page")
    page.field.add(name="depth", number=9, label=1, type=5)
    page.field.add(name="urls", number=2, label=3, type=9)
    assert leaves_of(file) == {
        ("id",): "string", ("at",): "time", ("price",): "double", ("page", "urls"): "string", ("page", "depth"): "int",
    }  # fmt: skip


def test_fields_come_in_the_order_of_their_numbers() -> None:
    file = proto_file("string id", "string url")
    file.message_type[0].field[0].number = 300
    descriptor = message_of(FileDescriptorSet(file=[file]).SerializeToString(), "shop.Click")
    assert [(field.path, field.tag) for field in fields_of(descriptor)] == [
        (("url",), b"\x12"), (("id",), b"\xe2\x12"),
    ]  # fmt: skip


@pytest.mark.parametrize("field", ["shop.Click parent", "repeated int32 prices", "confluent.type.Decimal price"])
def test_message_with_anything_else_is_not_read_at_once(field: str) -> None:
    file = proto_file("string id", field)
    file.dependency.append("confluent/type/decimal.proto")
    with pytest.raises(NotReadError):
        leaves_of(file)


@pytest.mark.parametrize(
    ("field", "column", "is_fit"),
    [
        ("string a", pa.string(), True),
        ("string a", pa.timestamp("us", "UTC"), False),
        ("int32 a", pa.int64(), True),
        ("int32 a", pa.float64(), True),
        ("int64 a", pa.timestamp("us", "UTC"), True),
        ("int64 a", pa.string(), False),
        ("bool a", pa.bool_(), True),
        ("double a", pa.float32(), False),
        ("bytes a", pa.string(), False),
        ("repeated string a", pa.string(), False),
        ("google.protobuf.Timestamp a", pa.timestamp("us", "UTC"), True),
        ("google.protobuf.StringValue a", pa.string(), True),
    ],
)
def test_value_fits_the_column_of_its_kind(field: str, column: pa.DataType, is_fit: bool) -> None:
    descriptor = message_of(FileDescriptorSet(file=[proto_file(field)]).SerializeToString(), "shop.Click")
    [(_, leaf)] = leaves(list(fields_of(descriptor)))
    assert fits(leaf, column) == is_fit
