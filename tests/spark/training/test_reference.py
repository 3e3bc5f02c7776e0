"""A version of somebody else gets a baseline from past clicks."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.config.model import Allow
from clickscore.drift.baseline import Baseline
from clickscore.errors import ModelError, SourceError
from clickscore.registry.baselines import BASELINE_TAG
from clickscore.registry.registry import Registry
from clickscore.scoring.contract import Contract, read_contract
from clickscore.scoring.features import Features, read_features
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.outputs import Outputs, as_outputs
from clickscore.training.reference import keep_reference, reference

NAME = "of_somebody_else"
INPUTS = pa.schema([("double_price", pa.float64()), pa.field("quantity", pa.float64(), nullable=False)])


def total(inputs: pa.StructArray) -> Outputs:
    price, quantity = (inputs.field(name).to_numpy(zero_copy_only=False) for name in INPUTS.names)
    if (quantity == 13).any():
        raise ValueError("what is this?")
    return as_outputs(np.nan_to_num(price) + quantity, len(inputs))


def made_of(*records: bytes) -> Baseline:
    contract: Contract = read_contract(Path("tests/data/click.ddl"), "id", "at", "visitor")
    features: Features = read_features(Path("tests/data/features.sql"), contract.click)
    return reference(pa.array(records, pa.binary()), contract, features, LoadedModel(INPUTS, total, {"score": None}))


def record(price: float | None, quantity: int | None) -> bytes:
    fields = [f'"{name}": {value}' for name, value in (("price", price), ("quantity", quantity)) if value is not None]
    return f'{{"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", {", ".join(fields)}}}'.encode()


def test_records_that_the_model_scores_make_the_baseline() -> None:
    found = made_of(record(1, 3), record(None, 4), b"rubbish", record(2, None))
    assert found.bins.score.edges[1:] == (4.0, 5.0)
    assert found.bins.features["double_price"].edges[1:] == (2.0,)
    score, features = found.bins.split(np.array(found.counts))
    assert score.tolist() == [0, 1, 1, 0, 0]
    assert features["double_price"].tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([b"rubbish", record(2, None)], "none of 2 records is a click that the model can score"),
        ([record(1, 13)], "the model fails on 1 click: ValueError: what is this"),
    ],
)
def test_model_that_scores_none_of_them_gets_none(records: list[bytes], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        made_of(*records)


def test_version_that_is_pinned_has_a_baseline_of_the_past_clicks(
    spark: SparkSession, shop: Any, make_click: Callable[..., Any], registry_uri: str,
    register_booster: Callable[..., str], tmp_path: Path,
) -> None:  # fmt: skip
    version = register_booster(registry_uri, seed=3, name=NAME)
    MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri).delete_model_version_tag(
        NAME, version, BASELINE_TAG
    )
    shop.land("0.jsonl", *[make_click(number) for number in range(20)], "rubbish")
    seen = StringIO()

    def keep(folder: Path | None) -> None:
        shop.set(training={"clicks": str(folder)} if folder else None)
        keep_reference(shop.config, f"models:/{NAME}/{version}", lambda: spark, Console(file=seen, width=200))

    with pytest.raises(SourceError, match=r"training\.clicks: no such folder: "):
        keep(tmp_path / "nothing")
    keep(None)
    keep(shop.landing)
    keep(shop.landing)
    without, with_it, again = seen.getvalue().splitlines()
    assert without.endswith("gets no baseline, so its drift cannot be measured: training.clicks names no past clicks.")
    assert with_it == f"{NAME} version {version} has the baseline of 20 past clicks."
    assert again == f"{NAME} version {version} keeps the baseline that it has."
    found = Registry(registry_uri).fetch(NAME, version, tmp_path, Allow()).baseline
    assert found
    assert sum(found.counts) == 3 * 20
