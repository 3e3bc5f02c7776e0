from collections.abc import Callable
from io import StringIO
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.stream import app


@pytest.fixture
def plan(spark: SparkSession, shop: Any) -> Callable[[], tuple[bool, str]]:
    def show() -> tuple[bool, str]:
        seen = StringIO()
        return app.plan(shop.config, lambda: spark, Console(file=seen, width=200)), seen.getvalue()

    return show


def test_plan_shows_every_part_and_reads_and_writes_nothing(
    shop: Any, plan: Callable[[], tuple[bool, str]], make_click: Callable[..., dict[str, Any]]
) -> None:
    shop.land("a.jsonl", make_click(1))
    shop.set(retention={"scored": "400 days", "rejected": "9 minutes"}, deduplicate={"window": "10 minutes"})
    can_start, seen = plan()
    assert can_start
    lines = {" ".join(line.split()) for line in seen.splitlines()}
    assert f"source folder: path {shop.landing}" in lines
    assert "5 fields, 3 required: id, at, visitor" in lines
    assert "double_price DOUBLE DOUBLE the model sees null" in lines
    assert "quantity INTEGER DOUBLE the model sees null" in lines
    assert any(
        line.startswith("model small_model version 1 (models:/small_model@champion), fed as light") for line in lines
    )
    assert any(line.startswith("SHA-256 ") and line.endswith(", as registered") for line in lines)
    assert f"checkpoint {shop.home}/checkpoint: new" in lines
    assert f"table {shop.home}/model_timeline" in lines
    assert "scoring_failed: clicks on which the model fails, up to 1.00%" in lines
    assert "kept scored 400 days, rejected 9 minutes, by jobs/maintain_tables.py" in lines
    assert any(line.startswith("warning retention.rejected: expected more than the 10 minutes of") for line in lines)
    assert "the run can start" in lines
    assert sorted(path.name for path in shop.home.iterdir()) == ["landing", "run.yaml"]


def test_plan_tells_everything_that_would_be_refused(
    shop: Any, registry_uri: str, register_classifier: Callable[..., None], plan: Callable[[], tuple[bool, str]]
) -> None:
    features = pd.DataFrame({"double_price": [1.0, 2.0], "stock": [1, 2]})
    register_classifier(registry_uri, features, "other_inputs")
    shop.set(model={"uri": "models:/other_inputs@champion", "registry": registry_uri},
             source={"kind": "folder", "path": str(shop.home / "nowhere")})  # fmt: skip
    can_start, seen = plan()
    assert not can_start
    assert "- missing: stock BIGINT" in seen
    assert "- extra: quantity, which the model does not know" in seen
    assert "missing_feature: clicks for which one of double_price, stock is null" in seen
    assert f"refused     source.path: no such folder: {shop.home}/nowhere" in seen
    assert seen.count("\nrefused ") == 2
    assert "the run would be refused" in seen


def test_plan_shows_the_challenger_beside_the_champion(
    shop: Any, registry_uri: str, register_booster: Callable[..., str], plan: Callable[[], tuple[bool, str]]
) -> None:
    register_booster(registry_uri, seed=4, name="planned")
    shop.set(model={"uri": "models:/small_model@champion", "registry": registry_uri,
                    "challenger": "models:/planned@champion"})  # fmt: skip
    can_start, seen = plan()
    assert can_start
    assert "to the challenger" in seen
    shop.set(model={"uri": "models:/small_model@champion", "registry": registry_uri,
                    "challenger": "models:/planned@not-yet"})  # fmt: skip
    can_start, without = plan()
    assert can_start
    assert "warning     no challenger: model.uri: there is no models:/planned@not-yet" in without
    assert "planned version 1" in seen
