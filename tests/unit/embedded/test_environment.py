"""An exported folder where there is nothing but what it needs: no Spark, no MLflow, no pandas, no network."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.environment import LIGHTGBM, ONNX, SCORER, UNWANTED, make_site, run_in
from tests.support.exported import Exported

PROGRAM = """
import sys
def offline(event, arguments):
    if event.startswith("socket."):
        raise OSError("there is no network")
sys.addaudithook(offline)
import json
from clickscore import embedded
try:
    scorer = embedded.load(sys.argv[1], onnx=sys.argv[2] == "onnx")
except embedded.scorer.ModelError as error:
    print(json.dumps(str(error)))
else:
    scores = [outcome.score for outcome in scorer.score_many(json.loads(sys.argv[3]))]
    imported = [name for name in json.loads(sys.argv[4]) if name in sys.modules]
    print(json.dumps([scorer.check(), imported, scores]))
"""
LOOKED_FOR = [*UNWANTED, "lightgbm", "onnxruntime"]
RECORDS = [{"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 80.0, "quantity": 3}, "no click"]


@pytest.fixture(scope="module")
def with_lightgbm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"), *SCORER, *LIGHTGBM)


@pytest.fixture(scope="module")
def with_onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_site(tmp_path_factory.mktemp("site"), *SCORER, *ONNX)


def scored(site: Path, folder: Path, library: str) -> Any:
    return json.loads(run_in(site, PROGRAM, str(folder), library, json.dumps(RECORDS), json.dumps(LOOKED_FOR)))


def test_folder_scores_with_the_library_of_the_model_alone(with_lightgbm: Path, small: Exported) -> None:
    changed, imported, scores = scored(with_lightgbm, small.folder, "lightgbm")
    assert (changed, imported) == ([], ["lightgbm"])
    assert 0.5 < scores[0] < 1
    assert scores[1] is None


def test_folder_scores_with_onnxruntime_alone(with_lightgbm: Path, with_onnx: Path, small: Exported) -> None:
    _, _, expected = scored(with_lightgbm, small.folder, "lightgbm")
    changed, imported, scores = scored(with_onnx, small.folder, "onnx")
    assert (changed, imported) == ([], ["onnxruntime"])
    assert scores == [pytest.approx(expected[0], abs=1e-6), None]


def test_missing_library_is_named_with_the_other_way(with_onnx: Path, small: Exported) -> None:
    said = scored(with_onnx, small.folder, "lightgbm")
    assert "model.lgb: the Python package lightgbm is missing: pip install lightgbm, or score with onnxruntime" in said


@pytest.mark.parametrize("module", UNWANTED)
def test_environments_have_none_of_the_rest(with_lightgbm: Path, with_onnx: Path, module: str) -> None:
    found = f"from importlib.util import find_spec; print(find_spec({module!r}))"
    assert [run_in(site, found) for site in (with_lightgbm, with_onnx)] == ["None\n", "None\n"]
