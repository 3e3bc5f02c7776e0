from pathlib import Path
from typing import Any

import pytest
import yaml

from clickscore.config.run import Config, load
from clickscore.errors import ConfigError
from clickscore.storage.schemas import KEPT, SCORED
from clickscore.stream.definition import define_contract, field_origins, privacy_properties, read_definition

KEY = "0123456789abcdef0123456789abcdef"


def config(tmp_path: Path, ddl: str, sections: dict[str, Any] | None = None, **model: object) -> Config:
    (tmp_path / "click.ddl").write_text(ddl)
    tree = yaml.safe_load(Path("conf/local.yaml").read_text())
    tree["click"]["schema"] = str(tmp_path / "click.ddl")
    tree["model"] |= model
    tree |= sections or {}
    tree.pop("training")
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(tree))
    return load(tmp_path / "run.yaml")


def test_demo_is_defined_by_its_three_files() -> None:
    definition = read_definition(load(Path("conf/local.yaml")))
    assert definition.contract.click.names[:2] == ["event_id", "event_time"]
    assert definition.features.schema.names[:2] == ["is_product_view", "is_cart_step"]
    assert definition.layout.scored.names == [*definition.contract.click.names, "score", "model_name",
                                              "model_version", "scored_at", "source", "source_offset",
                                              "batch_id"]  # fmt: skip
    assert definition.layout.scored["event_id"].metadata == {"comment": "Unique id of the click, set by the tracker"}
    assert not definition.layout.scored["event_id"].nullable


@pytest.mark.parametrize("name", [column.name for column in (*SCORED, *KEPT.values())])
def test_names_that_the_tables_use_themselves_are_no_fields_of_a_click(tmp_path: Path, name: str) -> None:
    ddl = Path("conf/click.ddl").read_text() + f",\n{name} STRING"
    with pytest.raises(ConfigError, match=rf"{name}: the tables use this name themselves"):
        read_definition(config(tmp_path, ddl))


def test_further_outputs_and_a_challenger_are_columns(tmp_path: Path) -> None:
    ddl = Path("conf/click.ddl").read_text()
    found = read_definition(config(tmp_path, ddl, outputs={"leave": 1}, challenger="models:/other@champion"))
    assert found.layout.scored.names[21:23] == ["score", "leave"]
    assert {"challenger_score", "challenger_version"} < set(found.layout.scored.names)


@pytest.mark.parametrize(("output", "message"), [
    ("event_id", "event_id: the tables use this name themselves"), ("batch_id", "use batch_id themselves"),
    ("_x", "_x begins with an underscore"), ("a b", "a b begins with an underscore, or has one of"),
])  # fmt: skip
def test_output_that_cannot_be_a_column_is_named(tmp_path: Path, output: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_definition(config(tmp_path, Path("conf/click.ddl").read_text(), outputs={output: 1}))


def test_tables_have_what_may_be_kept_of_a_click(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVACY_KEY", KEY)
    fields = {"user_agent": "drop", "viewport_width": "hash", "visitor_id": "hash", "price": {"coarsen": 10}}
    privacy = {"key": "env:PRIVACY_KEY", "fields": fields}
    found = read_definition(config(tmp_path, Path("conf/click.ddl").read_text(), {"privacy": privacy}))
    assert "user_agent" in found.contract.click.names and "user_agent" not in found.layout.scored.names
    assert found.layout.scored["viewport_width"].dataType.simpleString() == "string"
    assert found.layout.scored["visitor_id"].metadata["comment"].endswith("(privacy: hash)")
    assert not found.layout.scored["visitor_id"].nullable
    assert "under the rules of privacy" in found.layout.rejected["raw"].metadata["comment"]
    properties = privacy_properties(found.contract)
    assert sorted(properties) == ["clickscore.privacy", "clickscore.privacy_key"]
    assert KEY not in str(properties)
    assert privacy_properties(read_definition(load(Path("conf/local.yaml"))).contract) == {}


def test_key_and_headers_of_a_record_are_not_kept_beside_masked_records(tmp_path: Path) -> None:
    source = {"kind": "kafka", "bootstrap_servers": "broker:9092", "topics": ["clicks"], "keep": ["key"]}
    ddl, fields = Path("conf/click.ddl").read_text(), {"user_agent": "drop"}
    with pytest.raises(ConfigError, match=r"source.keep: anything of a visitor may stand"):
        read_definition(config(tmp_path, ddl, {"source": source, "privacy": {"fields": fields}}))
    whole = config(tmp_path, ddl, {"source": source, "privacy": {"fields": fields, "raw": "keep"}})
    assert "source_key" in read_definition(whole).layout.scored.names


def test_rules_that_do_not_fit_are_named_all_at_once(tmp_path: Path) -> None:
    privacy = {"fields": {"event_id": "drop", "pages": "drop"}}
    with pytest.raises(ConfigError) as caught:
        read_definition(config(tmp_path, Path("conf/click.ddl").read_text(), {"privacy": privacy}))
    assert str(caught.value).startswith("privacy cannot be used:")
    assert "privacy.fields.event_id: expected hash" in str(caught.value)
    assert "privacy.fields.pages: there is no field pages" in str(caught.value)


def test_origin_of_a_field_is_all_that_it_is_made_of_or_what_is_there_first(tmp_path: Path) -> None:
    roles = {"schema": "conf/click.ddl", "id": "event_id", "time": "event_time", "visitor": "visitor_id"}
    readings = {
        "event_id": ["id", "uuid"], "event_time": "context.time", "user_agent": {"constant": "none"},
        "visitor_id": {"concat": ["shop", "user"]},
    }  # fmt: skip
    ddl = Path("conf/click.ddl").read_text()
    contract = define_contract(config(tmp_path, ddl, {"click": {**roles, "from": readings}}))
    origins = {origin.name: origin for origin in field_origins(contract.click)}
    assert origins["event_id"] == ("event_id", True, ("id", "uuid"), False)
    assert origins["event_time"].parts == ("context",)
    assert origins["user_agent"] == ("user_agent", False, (), False)
    assert origins["visitor_id"] == ("visitor_id", True, ("shop", "user"), True)
    assert origins["price"].parts == ("price",)
