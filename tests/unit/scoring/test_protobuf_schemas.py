"""Schemas of Protobuf that cannot be used are refused, each with what was expected."""

import base64

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from tests.support.wire import proto_file, serialized

from clickscore.errors import SourceError
from clickscore.scoring.protobuf_schemas import BUILT_IN, file_of, message_of, pool_of
from clickscore.scoring.wire import UndecodableError, Wire


def test_every_file_that_may_be_imported_is_there() -> None:
    file = FileDescriptorProto(name="all.proto", syntax="proto3", dependency=list(BUILT_IN))
    assert pool_of([file]).FindFileByName("confluent/type/decimal.proto").package == "confluent.type"


def test_schema_as_text_stops_the_run() -> None:
    wire = Wire("protobuf", "http://registry")
    assert file_of(serialized(proto_file("string id")), wire).package == "shop"
    for text in ('syntax = "proto3";', base64.b64encode(b"\xff\xff").decode()):
        with pytest.raises(SourceError, match="expected that http://registry gives schemas of Protobuf as descriptors"):
            file_of(text, wire)


def test_message_that_is_not_in_the_file_is_refused() -> None:
    descriptors = FileDescriptorSet(file=[proto_file("string id")]).SerializeToString()
    assert message_of(descriptors, "shop.Click").full_name == "shop.Click"
    with pytest.raises(UndecodableError, match=r"expected descriptors with a message shop\.Clack"):
        message_of(descriptors, "shop.Clack")
    with pytest.raises(UndecodableError, match=r"expected descriptors with a message shop\.Click"):
        message_of(b"syntax", "shop.Click")


def test_import_that_is_not_there_is_named() -> None:
    file = proto_file("string id")
    file.dependency.append("web/page.proto")
    with pytest.raises(UndecodableError, match=r"it imports web/page\.proto, which is not there"):
        pool_of([file])
