import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.support.exported import Exported

from clickscore.embedded.manifest import read_manifest
from clickscore.errors import ConfigError, UntrustedModelError


@pytest.fixture
def folder(small: Exported, tmp_path: Path) -> Path:
    return shutil.copytree(small.folder, tmp_path / "copy")


def change(folder: Path, **changes: Any) -> None:
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_manifest_says_what_the_model_asks_for(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert manifest.input_schema == pa.schema([("double_price", pa.float64()), ("quantity", pa.float64())])
    assert manifest.outputs == {"score": 0}


def test_missing_folder_says_who_writes_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"manifest.json cannot be used:\n.*jobs/export_model.py"):
        read_manifest(tmp_path / "none")


def test_other_json_is_refused_with_the_key(folder: Path) -> None:
    change(folder, outputs={"score": "first"})
    with pytest.raises(ConfigError, match=r"expected the manifest of an exported model: .*\$\.outputs"):
        read_manifest(folder)


def test_manifest_without_a_score_is_refused(folder: Path) -> None:
    change(folder, outputs={"margin": 0})
    with pytest.raises(ConfigError, match="outputs: expected score among them, found margin"):
        read_manifest(folder)


def test_manifest_that_is_no_text_is_refused(folder: Path) -> None:
    manifest = folder / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"DOUBLE"', b'"DOUBL\xff"'))
    with pytest.raises(ConfigError, match="expected the manifest of an exported model: 'utf-8' codec"):
        read_manifest(folder)


def test_later_format_is_refused(folder: Path) -> None:
    change(folder, format=2)
    with pytest.raises(ConfigError, match="expected format 1, found 2; export the model again"):
        read_manifest(folder)


def test_unknown_type_is_refused(folder: Path) -> None:
    change(folder, inputs=[{"name": "at", "type": "TIMESTAMP_NS", "required": False}])
    with pytest.raises(ConfigError, match=r"inputs: expected one of BOOLEAN, .*, found TIMESTAMP_NS"):
        read_manifest(folder)


def test_every_changed_and_missing_file_is_named(folder: Path) -> None:
    (folder / "click.ddl").write_text("id STRING")
    (folder / "features.sql").unlink()
    with pytest.raises(UntrustedModelError) as caught:
        read_manifest(folder)
    assert "click.ddl: expected SHA-256" in str(caught.value)
    assert "features.sql cannot be read: No such file or directory" in str(caught.value)


def test_file_that_the_manifest_does_not_vouch_for_is_refused(folder: Path) -> None:
    change(folder, files={})
    with pytest.raises(UntrustedModelError, match=r"(?s)click.ddl is not in the manifest.*features.sql is not in"):
        read_manifest(folder)


def test_reading_that_is_no_reading_is_refused_with_its_field(folder: Path) -> None:
    click = json.loads((folder / "manifest.json").read_text())["click"]
    readings = {"price": {"paths": ["a["]}, "at": {"format": "%Q", "zone": "Mars/Base"}, "id": {"paths": ["a.b"]}}
    change(folder, click=click | {"readings": readings})
    with pytest.raises(ConfigError) as caught:
        read_manifest(folder)
    for problem in ("price: ", "at: '%Q' cannot be used", "at: expected a time zone"):
        assert f"click.readings.{problem}" in str(caught.value)
    assert "readings.id" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "\0", "..", "../click.ddl", "/etc/hostname"])
def test_name_that_leads_out_of_the_folder_is_refused(folder: Path, name: str) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    change(folder, files=files | {name: "0" * 64})
    with pytest.raises(UntrustedModelError, match=r"is not the name of a file in the folder"):
        read_manifest(folder)
