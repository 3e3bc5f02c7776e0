import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import lightgbm
import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
from mlflow.models import infer_signature
from onnx import TensorProto, helper
from rich.console import Console
from tests.support.exported import Exported
from tests.support.jobs import Done
from tests.support.models import register_booster, register_classifier
from tests.support.shop import Shop

from clickscore import __version__, embedded
from clickscore.embedded.vectors import read_vectors
from clickscore.errors import ModelError, SignatureError, UntrustedModelError
from clickscore.export.export import export
from clickscore.registry.registry import Registry

FEATURES = pd.DataFrame({"double_price": [20.0, 180.0, 90.0], "quantity": [1.0, 2.0, 3.0]})
CLICK = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 80.0, "quantity": 3}


def exported(shop: Shop, version: str | None = None, **model: Any) -> tuple[Path, str]:
    """Export a model of a shop; return the folder and what was printed."""
    if model:
        shop.set(model={"registry": shop.config.model.registry, **model})
    said = StringIO()
    export(shop.config, shop.home / "out", version, Console(file=said, width=200))
    return shop.home / "out", said.getvalue()


def test_folder_reads_records_as_the_configuration_says(shop: Shop) -> None:
    roles = {"schema": str(shop.config.click.ddl), "id": "id", "time": "at", "visitor": "visitor"}
    shop.set(
        click={**roles, "from": {"visitor": ["userId", "who.id"], "at": {"zone": "Asia/Tokyo"}}, "lenient": ["price"]}
    )
    folder, _ = exported(shop)
    record = {"id": "a", "at": "2026-03-01 21:00:00", "who": {"id": "v"}, "price": "80.0", "quantity": 3}
    scorer = embedded.load(folder)
    assert scorer.score(record).verdict == "scored"
    assert scorer.score(CLICK).detail == "userId or who.id is missing"
    assert scorer.check() == []


def test_manifest_says_what_was_exported_and_with_what(small: Exported) -> None:
    manifest = json.loads((small.folder / "manifest.json").read_text())
    digest = (
        Registry(small.config.model.registry).client.get_model_version("small_model", "1").tags["clickscore.digest"]
    )
    assert manifest["model"] == {"name": "small_model", "version": "1", "digest": digest, "kind": "lightgbm"}
    assert manifest["inputs"] == [
        {"name": "double_price", "type": "DOUBLE", "required": False},
        {"name": "quantity", "type": "DOUBLE", "required": False},
    ]
    assert manifest["click"]["fields"][1] == {"name": "at", "type": "TIMESTAMP", "required": True}
    assert {name: manifest["click"][name] for name in ("id", "time", "visitor")} == {
        "id": "id", "time": "at", "visitor": "visitor",
    }  # fmt: skip
    assert (manifest["outputs"], manifest["without_onnx"]) == ({"score": 0}, None)
    assert (manifest["format"], manifest["duckdb"]) == (1, duckdb.__version__)
    assert manifest["clickscore"] == __version__
    found = {file.name for file in small.folder.iterdir()}
    assert found == manifest["files"].keys() | {"manifest.json"}
    assert found == {"click.ddl", "features.sql", "model.lgb", "model.onnx", "test_vectors.jsonl", "manifest.json"}


def test_contract_and_features_are_the_files_of_the_run(small: Exported) -> None:
    assert (small.folder / "click.ddl").read_bytes() == small.config.click.ddl.read_bytes()
    assert (small.folder / "features.sql").read_bytes() == small.config.features.read_bytes()


def test_vectors_have_scored_clicks_and_many_reasons(demo_model: Exported) -> None:
    vectors = read_vectors(demo_model.folder)
    assert sum(vector.verdict == "scored" for vector in vectors) > 150
    assert len({vector.reason for vector in vectors}) == 8
    assert any(vector.features and None in vector.features.values() for vector in vectors)


def test_another_version_is_exported(shop: Shop) -> None:
    for seed in (1, 2):
        newer = register_booster(shop.config.model.registry, seed=seed, name="exported_twice")
    folder, said = exported(shop, newer, uri="models:/exported_twice@champion")
    assert json.loads((folder / "manifest.json").read_text())["model"]["version"] == newer
    assert said.startswith(f"exported_twice version {newer} is in {folder}: click.ddl, ")


def test_version_that_is_not_there_is_answered_with_those_that_are(shop: Shop) -> None:
    with pytest.raises(ModelError, match=r"there is no models:/small_model/99\. .*versions: 1"):
        exported(shop, "99")


def test_every_output_that_is_a_column_has_its_position(shop: Shop, register_model: Callable[..., str]) -> None:
    label = np.arange(300) % 3
    features = pd.DataFrame({"double_price": label * 50.0, "quantity": np.arange(300.0)})
    settings = {"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(features, label), 5)
    register_model(mlflow.lightgbm.log_model, "exported_classes", lgb_model=booster,
                   signature=infer_signature(features, np.zeros((1, 3))))  # fmt: skip
    folder, _ = exported(shop, uri="models:/exported_classes@champion", outputs={"score": 2, "leave": 0})
    assert json.loads((folder / "manifest.json").read_text())["outputs"] == {"score": 2, "leave": 0}
    outcome = embedded.load(folder).score(CLICK)
    expected = booster.predict(np.array([[160.0, 3.0]]))[0]
    assert outcome.scores == {"score": expected[2], "leave": expected[0]}


def log_onnx(register_model: Callable[..., str], name: str, **example: Any) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 2], [0.01, 0.02, -0.2, 0.1])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["probabilities"])]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    wanted = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph(nodes, "g", [given], [wanted], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    register_model(mlflow.onnx.log_model, name, onnx_model=onnx.shape_inference.infer_shapes(model),
                   signature=infer_signature(FEATURES, np.zeros((1, 2), np.float32)), **example)  # fmt: skip


def test_onnx_model_is_its_own_file(shop: Shop, register_model: Callable[..., str]) -> None:
    log_onnx(register_model, "exported_softmax", input_example=FEATURES)
    folder, _ = exported(shop, uri="models:/exported_softmax@champion")
    assert not (folder / "model.lgb").exists()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["model"]["kind"], manifest["outputs"]) == ("onnx", {"score": 1})
    found = embedded.load(folder).score(CLICK).score
    assert found == pytest.approx(1 / (1 + np.exp(-(160 * 0.01 + 3 * 0.3))), abs=1e-6)


def test_onnx_model_without_an_example_is_refused(shop: Shop, register_model: Callable[..., str]) -> None:
    log_onnx(register_model, "exported_unknown")
    with pytest.raises(ModelError, match="cannot be exported: it was logged without an input example"):
        exported(shop, uri="models:/exported_unknown@champion")


def test_booster_with_categories_is_exported_without_onnx(shop: Shop, register_model: Callable[..., str]) -> None:
    shop.home.joinpath("features.sql").write_text("SELECT visitor AS visitor FROM click")
    shop.set(features=str(shop.home / "features.sql"))
    frame = pd.DataFrame({"visitor": pd.Categorical(["big", "small"] * 200)})
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(settings, lightgbm.Dataset(frame, [1.0, 0.0] * 200), 5)
    register_model(mlflow.lightgbm.log_model, "exported_categories", lgb_model=booster,
                   signature=infer_signature(pd.DataFrame({"visitor": ["big", None]}), [0.5]))  # fmt: skip
    folder, said = exported(shop, uri="models:/exported_categories@champion")
    assert (
        "warning: exported_categories version 1 is not converted to ONNX: its features are categories of pandas" in said
    )
    scores = [
        one.score for one in embedded.load(folder).score_many([{**CLICK, "visitor": who} for who in ("big", "x")])
    ]
    assert scores[0] > scores[1]
    assert not (folder / "model.onnx").exists()


def test_model_that_only_mlflow_can_load_is_refused_and_nothing_is_written(shop: Shop) -> None:
    register_classifier(shop.config.model.registry, FEATURES, "exported_classifier")
    with pytest.raises(
        ModelError, match=r"exported_classifier version 1 cannot be exported: only MLflow can load it. .*skl2onnx"
    ):
        exported(shop, uri="models:/exported_classifier@champion", trust="pickle")
    assert {file.name for file in shop.home.iterdir()} == {"landing", "run.yaml"}


def test_model_that_does_not_fit_the_features_is_refused(shop: Shop) -> None:
    shop.home.joinpath("features.sql").write_text("SELECT price AS price FROM click")
    shop.set(features=str(shop.home / "features.sql"))
    with pytest.raises(SignatureError, match="missing: double_price"):
        exported(shop)


def test_changed_files_of_the_registry_are_refused(tmp_path: Path, make_shop: Callable[[Path], Shop]) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    register_booster(uri, seed=1, name="changed")
    [file] = (tmp_path / "mlflow-artifacts").rglob("model.lgb")
    file.write_text(file.read_text() + "\n")
    with pytest.raises(UntrustedModelError, match="the files are not those that were registered"):
        exported(make_shop(tmp_path / "shop"), uri="models:/changed@champion", registry=uri)


def test_job_writes_the_folder_once(shop: Shop, run_job: Callable[..., Done]) -> None:
    arguments = ("--config", str(shop.config_file), "--out", str(shop.home / "out"), "--version", "1")
    done = run_job("export_model", *arguments)
    assert (done.status, done.err) == (0, "")
    assert "test vectors, of which it scores 201" in done.out.replace("\n", " ")
    assert embedded.load(shop.home / "out").check() == []
    again = run_job("export_model", *arguments)
    assert (again.status, again.out) == (2, "")
    assert again.err.endswith("it is there already and not empty; name a new folder, or remove it first\n")
