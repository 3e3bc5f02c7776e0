"""How records are written: from the configuration into the metadata of a click, and to what takes them apart."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.wire import avro_bytes

from clickscore.config.value import Value
from clickscore.errors import ConfigError
from clickscore.scoring import wire as wire_module
from clickscore.scoring.parsing import parser
from clickscore.scoring.wire import Wire, check_registry, opener, read_wire, wire_of, with_wire
from shopsim.registry import Registry

CLICK = pa.schema([pa.field("id", pa.string(), nullable=False, metadata={"comment": "which"})])


def test_wire_travels_with_the_fields() -> None:
    wire = Wire("protobuf", username="env:USER", schema=b"\0\xff", message="shop.Click")
    click = with_wire(CLICK, wire)
    assert wire_of(pa.ipc.read_schema(click.serialize())) == wire
    assert (wire_of(CLICK), click.field("id").metadata) == (None, CLICK.field("id").metadata)


def test_parsers_of_equal_fields_in_different_formats_are_different(tmp_path: Path) -> None:
    schema = '{"type": "record", "name": "Click", "fields": [{"name": "id", "type": "string"}]}'
    file = tmp_path / "click.avsc"
    file.write_text("\ufeff" + schema)
    wire = read_wire(Value.model_validate({"format": "avro", "schema": str(file)}))
    assert wire
    records = pa.array([b'{"id": "c1"}', avro_bytes({"type": "string"}, "c1")], pa.binary())
    assert parser(CLICK).parse(records).clicks.field("id").to_pylist() == ["c1", None]
    assert parser(with_wire(CLICK, wire)).parse(records).clicks.field("id").to_pylist() == [None, "c1"]


def test_json_needs_nothing() -> None:
    assert read_wire(Value()) is None
    check_registry(CLICK)


def test_schema_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "click.avsc"
    file.write_text("syntax = proto3")
    with pytest.raises(ConfigError, match=r"the schema .*click\.avsc cannot be used: no usable schema of Avro"):
        read_wire(Value.model_validate({"format": "avro", "schema": str(file)}))
    message = {"format": "protobuf", "schema": str(file), "message": "shop.Click"}
    with pytest.raises(ConfigError, match=r"cannot be used: expected descriptors with a message shop\.Click"):
        read_wire(Value.model_validate(message))


def test_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_module, "_REGISTRY_NEEDS", ("no_such_package", "no_such.package"))
    value = Value.model_validate({"format": "avro", "registry": "http://localhost:8081"})
    with pytest.raises(ConfigError, match=r"no_such_package, no_such\.package; run pip install 'clickscore\[avro\]'"):
        read_wire(value)


def test_registry_is_checked(registry: Registry) -> None:
    check_registry(with_wire(CLICK, Wire("avro", registry.url)))
    assert [path.partition("?")[0] for path in registry.asked] == ["/subjects"]


def test_scoring_and_plain_formats_load_no_client_of_a_registry() -> None:
    code = (
        "import sys; from clickscore.scoring import ClickScorer; from clickscore.scoring.wire import Wire, opener\n"
        "assert not {'fastavro', 'confluent_kafka', 'google.protobuf'} & set(sys.modules)\n"
        "opener(Wire('avro', schema=b'\"string\"'), [])\n"
        "assert 'fastavro' in sys.modules and 'confluent_kafka' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_plain_avro_has_nothing_before_the_value() -> None:
    take_apart = opener(Wire("avro", schema=b'"long"'), [])
    assert take_apart(b"\x54") == 42
