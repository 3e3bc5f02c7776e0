"""The scorer where there is no Spark: an environment with what it needs, and nothing else."""

import json
from pathlib import Path

import lightgbm
import numpy as np
import pytest
from tests.support.environment import LIGHTGBM, SCORER, UNWANTED, make_site, run_in

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
    return make_site(tmp_path_factory.mktemp("site"), *SCORER, *LIGHTGBM)


@pytest.mark.parametrize("module", UNWANTED)
def test_environment_has_no_spark(site: Path, module: str) -> None:
    found = f"from importlib.util import find_spec; print(find_spec({module!r}))"
    assert run_in(site, found) == "None\n"


def test_clicks_are_scored_without_spark_mlflow_and_pandas(site: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    features = np.column_stack([rng.uniform(0, 400, 500), rng.integers(0, 5, 500)])
    data = lightgbm.Dataset(features, features[:, 0] > 200, feature_name=["double_price", "quantity"])
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_leaves": 8}, data, 10)
    booster.save_model(tmp_path / "model.lgb")
    seconds, unwanted, scores, reasons = json.loads(run_in(site, PROGRAM, str(tmp_path), json.dumps(RECORDS)))
    assert unwanted == []
    assert scores == [*booster.predict([[360.0, 3.0], [4.0, 3.0]]), None]
    assert scores[0] > 0.5 > scores[1]
    assert reasons == [None, None, "invalid_time"]
    assert seconds < IMPORT_LIMIT_S
