"""The folder is enough for a second language: conf/embedded/node scores its test vectors in Node.js."""

import json
import shutil
import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from rich.console import Console
from tests.support.exported import Exported
from tests.support.shop import Shop

from clickscore.export.export import export

SOURCE = Path("conf/embedded/node")
PLACE = Path("build/embedded-node")
NESTED = """
id STRING NOT NULL, at TIMESTAMP NOT NULL, visitor STRING NOT NULL, price DECIMAL(8,2), rate FLOAT, day DATE,
tags ARRAY<STRING>, counts MAP<STRING, INT>, page STRUCT<url: STRING, seen: TIMESTAMP, `TIMESTAMP`: INT>
"""
FEATURES = """-- With a comment, a quotation mark ' and a semicolon;
SELECT
  CAST(price * 3 AS DOUBLE)                   AS price,
  CAST(rate AS DOUBLE) / 3                    AS rate,
  date_part('doy', day)                       AS day,
  len(tags)                                   AS tags,
  counts['key']                               AS key_count,
  CAST(page."TIMESTAMP" = 2 AS DOUBLE)        AS is_two,
  date_diff('hour', page.seen, "at")          AS hours,
  round(ln(length(page.url) + 1.5), 3)        AS "odd name"
FROM click; -- and another one
"""


@pytest.fixture(scope="module")
def check() -> Callable[[Path], subprocess.CompletedProcess[str]]:
    """The program, with its packages."""
    if missing := [name for name in ("node", "npm") if not shutil.which(name)]:
        pytest.fail(f"{' and '.join(missing)} not installed: install Node.js 20 or newer, for instance from nodejs.org")
    lock, installed = SOURCE / "package-lock.json", PLACE / ".installed"
    PLACE.mkdir(parents=True, exist_ok=True)
    for file in SOURCE.iterdir():
        shutil.copy(file, PLACE / file.name)
    if not installed.exists() or installed.read_text() != lock.read_text():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        done = subprocess.run(command, cwd=PLACE, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"npm cannot fetch the packages: {done.stderr}"
        installed.write_text(lock.read_text())

    def check(folder: Path) -> subprocess.CompletedProcess[str]:
        command = ["node", str(PLACE / "check.mjs"), str(folder)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return check


@pytest.mark.parametrize("shop", ["small", "demo_model"])
def test_features_are_equal_and_scores_are_near(
    check: Callable[[Path], subprocess.CompletedProcess[str]], shop: str, request: pytest.FixtureRequest
) -> None:
    done = check(request.getfixturevalue(shop).folder)
    assert (done.returncode, done.stderr) == (0, ""), f"{done.stderr}{done.stdout}"
    assert "features of 201 clicks" in done.stdout
    assert "scores of 201 by ONNX Runtime" in done.stdout
    assert done.stdout.endswith("; 0 differences\n")


def test_fields_of_any_type_are_read_alike(
    check: Callable[[Path], subprocess.CompletedProcess[str]], shop: Shop, register_model: Callable[..., str]
) -> None:
    (shop.home / "click.ddl").write_text(NESTED)
    (shop.home / "features.sql").write_text(FEATURES)
    names = ["price", "rate", "day", "tags", "key_count", "is_two", "hours", "odd name"]
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(500, len(names))) * 10, columns=names)
    data = lightgbm.Dataset(frame.to_numpy(), (frame.sum(axis=1) > 0).astype(float))
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 5)
    signature = infer_signature(pd.concat([frame, frame * np.nan]), [0.5])
    register_model(mlflow.lightgbm.log_model, "exported_nested", lgb_model=booster, signature=signature)
    shop.set(
        click={"schema": str(shop.home / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"},
        features=str(shop.home / "features.sql"),
        model={"uri": "models:/exported_nested@champion", "registry": shop.config.model.registry},
    )
    export(shop.config, shop.home / "out", None, Console(file=StringIO()))
    done = check(shop.home / "out")
    assert (done.returncode, done.stderr) == (0, ""), f"{done.stderr}{done.stdout}"


def test_other_scores_are_told(
    check: Callable[[Path], subprocess.CompletedProcess[str]], small: Exported, tmp_path: Path
) -> None:
    folder = shutil.copytree(small.folder, tmp_path / "copy")
    vectors = folder / "test_vectors.jsonl"
    first, rest = vectors.read_text().split("\n", 1)
    changed = json.loads(first)
    changed["features"]["quantity"] = 7
    changed["scores"]["score"] += 2e-6
    vectors.write_text(json.dumps(changed) + "\n" + rest)
    assert "test_vectors.jsonl: expected SHA-256" in check(folder).stderr
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["test_vectors.jsonl"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = check(folder)
    assert done.returncode == 1
    assert "; 2 differences\n" in done.stdout
    assert "quantity: expected 7, found 1" in done.stdout


def test_folder_without_an_onnx_model_is_refused(
    check: Callable[[Path], subprocess.CompletedProcess[str]], small: Exported, tmp_path: Path
) -> None:
    folder = shutil.copytree(small.folder, tmp_path / "copy")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["model.onnx"]
    (folder / "manifest.json").write_text(json.dumps(manifest | {"without_onnx": "it splits on categories"}))
    done = check(folder)
    assert done.returncode == 2
    assert "there is no model.onnx: it splits on categories" in done.stderr
