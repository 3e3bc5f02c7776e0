"""The requests of docs/service.md get the answers that stand below them."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
import yaml
from tests.support.service import Served, served
from tests.support.shop import Shop

from clickscore.config.run import load
from clickscore.registry.registry import Registry
from clickscore.scoring.contract import read_contract
from clickscore.scoring.features import read_features
from clickscore.training.algorithms import LEARNERS
from clickscore.training.registration import register

PAGE = Path("docs/service.md").read_text()
EXAMPLES = re.findall(r"```sh\n([^`]*?/score[^`]*)```\n\n```json\n([^`]*)```", PAGE)


@pytest.fixture(scope="module")
def demo_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The service with the schema and features of the demo, and a model of their shape."""
    home = tmp_path_factory.mktemp("demo-service")
    registry = f"sqlite:///{home}/mlflow.db"
    tree = yaml.safe_load(Path("conf/local.yaml").read_text())
    tree["model"]["registry"] = registry
    (home / "run.yaml").write_text(yaml.safe_dump(tree))
    config = load(home / "run.yaml")
    contract = read_contract(config.click.ddl, config.click.id, config.click.time, config.click.visitor)
    names = read_features(config.features, contract.click).schema.names
    values = pd.DataFrame(np.random.default_rng(1).normal(size=(400, len(names))), columns=names)
    booster = lightgbm.train(
        {"verbosity": -1, "objective": "binary"}, lightgbm.Dataset(values, values[names[0]] > 0), 3
    )
    register(Registry(registry, create=True), booster, LEARNERS["lightgbm"], "click_propensity", "champion",
             values.head(2), {}, {}, {})  # fmt: skip
    with served(Shop(home, home / "run.yaml")) as running:
        yield running


@pytest.mark.parametrize(("command", "answer"), EXAMPLES, ids=["one", "list"])
def test_example_is_answered_as_it_says(demo_service: Served, command: str, answer: str) -> None:
    command = command.replace("http://127.0.0.1:8000", demo_service.url)
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    found, expected = json.loads(done.stdout), json.loads(answer)
    if "score" in found:  # that of another model
        assert 0 < found["score"] < 1
        found["score"] = expected["score"]
    assert found == expected
