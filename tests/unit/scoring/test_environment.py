"""The scorer where there is no Spark: an environment with what it needs, and nothing else."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import lightgbm
import numpy as np
import pytest

NEEDED = ("pyarrow", "duckdb", "msgspec", "numpy", "lightgbm", "scipy", "narwhals")
"""Packages of the environment; the last two are those that LightGBM asks for."""
IMPORT_LIMIT_S = 0.5
RECORDS = [
    {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 180.0, "quantity": 3},
    {"id": "b", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3},
    {"id": "c", "at": "yesterday", "visitor": "v"},
]
PROGRAM = """
import json, sys, time
began = time.process_time()
import clickscore.scoring
seconds = time.process_time() - began
import pyarrow as pa
from pathlib import Path
from clickscore.scoring import ClickScorer, load_booster, read_contract, read_features
contract = read_contract(Path("tests/data/click.ddl"), "id", "at", "visitor")
features = read_features(Path("tests/data/features.sql"), contract.click)
scorer = ClickScorer(contract, features, load_booster(Path(sys.argv[1])))
outcomes = scorer.score(pa.array([json.dumps(record).encode() for record in json.loads(sys.argv[2])], pa.binary()))
unwanted = [name for name in ("pyspark", "py4j", "mlflow", "pandas") if name in sys.modules]
print(json.dumps([seconds, unwanted, outcomes.field("score").to_pylist(), outcomes.field("reason").to_pylist()]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages: links to those of this environment, and to nothing that they do not need."""
    site = tmp_path_factory.mktemp("site")
    for name in NEEDED:
        for file in metadata.files(name) or ():
            top = file.parts[0]
            if top != ".." and not (site / top).exists():
                (site / top).symlink_to(Path(str(metadata.distribution(name).locate_file(top))))
    (site / "clickscore").symlink_to(Path("lib/clickscore").resolve())
    return site


def run(site: Path, *arguments: str) -> str:
    # -S leaves out the packages of this environment, -I everything that the variables of the shell name.
    program = f"import sys; sys.path.insert(0, {str(site)!r}); sys.argv[:] = sys.argv[:1] + {list(arguments[1:])!r}\n"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program + arguments[0]], capture_output=True, text=True,
                          check=False, env={"PATH": os.defpath})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("module", ["pyspark", "py4j", "mlflow", "pandas"])
def test_environment_has_no_spark(site: Path, module: str) -> None:
    found = f"from importlib.util import find_spec; print(find_spec({module!r}))"
    assert run(site, found) == "None\n"


def test_clicks_are_scored_without_spark_mlflow_and_pandas(site: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    features = np.column_stack([rng.uniform(0, 400, 500), rng.integers(0, 5, 500)])
    data = lightgbm.Dataset(features, features[:, 0] > 200, feature_name=["double_price", "quantity"])
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_leaves": 8}, data, 10)
    booster.save_model(tmp_path / "model.lgb")
    seconds, unwanted, scores, reasons = json.loads(run(site, PROGRAM, str(tmp_path), json.dumps(RECORDS)))
    assert unwanted == []
    assert scores == [*booster.predict([[360.0, 3.0], [4.0, 3.0]]), None]
    assert scores[0] > 0.5 > scores[1]
    assert reasons == [None, None, "invalid_time"]
    assert seconds < IMPORT_LIMIT_S
