"""How the value of a record is written: what the configuration may say."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clickscore.config.source import DeltaSource, FolderSource, KafkaSource
from clickscore.config.value import Value

URL = "https://registry.example.com:8081"


def test_json_is_what_is_meant_where_nothing_is_said() -> None:
    source = KafkaSource.model_validate({"kind": "kafka", "bootstrap_servers": "b:9092", "topics": "clicks"})
    assert source.value.format == "json"


@pytest.mark.parametrize(
    "value",
    [
        {"format": "avro", "registry": URL},
        {"format": "avro", "registry": URL, "username": "env:A", "password": "file:/b", "schema": __file__},
        {"format": "avro", "schema": __file__},
        {"format": "protobuf", "registry": URL, "ca": __file__},
        {"format": "protobuf", "schema": __file__, "message": "shop.Click"},
    ],
)
def test_whole_description_is_taken(value: dict[str, Any]) -> None:
    assert Value.model_validate(value).format == value["format"]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"format": "avro"}, "avro needs a registry or a schema"),
        ({"format": "protobuf", "message": "shop.Click"}, "protobuf needs a registry or a schema"),
        ({"format": "protobuf", "schema": __file__}, "protobuf with a schema needs the message"),
        ({"format": "json", "registry": URL}, "registry: not used by json with a registry"),
        ({"format": "protobuf", "registry": URL, "schema": __file__}, "schema: not used by protobuf with a registry"),
        ({"format": "avro", "schema": __file__, "ca": __file__}, "ca: not used by avro with no registry"),
        ({"format": "avro", "registry": URL, "username": "env:A"}, "expected username and password, or neither"),
        ({"format": "avro", "registry": URL, "username": "alice", "password": "env:B"}, "found a literal"),
        ({"format": "avro", "registry": "registry:8081"}, "expected an address such as https://"),
        ({"format": "avro", "registry": "https://alice:hunter2@registry"}, "the address holds a login"),
        ({"format": "xml"}, "Input should be 'json', 'avro' or 'protobuf'"),
    ],
)
def test_what_is_missing_or_not_used_is_named(value: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Value.model_validate(value)
    messages = " ".join(error["msg"] for error in refused.value.errors())
    assert problem in messages
    assert "hunter2" not in messages


def test_folder_of_lines_takes_json_only(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="expected json, found avro, which lines of text cannot hold"):
        FolderSource.model_validate(
            {"kind": "folder", "path": str(tmp_path), "value": {"format": "avro", "registry": URL}}
        )


def test_table_needs_a_column_for_what_is_no_json() -> None:
    table = {"kind": "delta", "table": "clicks", "value": {"format": "avro", "registry": URL}}
    with pytest.raises(ValidationError, match="name the binary column that holds it in column"):
        DeltaSource.model_validate(table)
    assert DeltaSource.model_validate({**table, "column": "payload"}).value.registry == URL
