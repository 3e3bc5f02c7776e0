"""One scorer: the stream, the scorer in this process and the training compute the same, to the last bit."""

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.config.run import Training, load
from clickscore.reasons import INVALID_ENCODING
from clickscore.registry.registry import fetch_current
from clickscore.scoring.isolation import Tolerance
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.models import load as load_model
from clickscore.scoring.parsing import parser
from clickscore.scoring.scorer import ClickScorer
from clickscore.sources.folder import read_batch
from clickscore.stream.definition import read_definition
from clickscore.training.training import labelled
from shopsim.landing import write_history
from shopsim.records import Faults

CLICKS, PER_FILE = 20_000, 2_500
MARCH_MS = 1_772_323_200_000
POISON, POISON_EVERY = 13.0, 250
CHUNK = 997
"""Records that the scorer gets at a time here; the stream cuts elsewhere, and nothing may depend on that."""


class Touchy(mlflow.pyfunc.PythonModel):
    """A LightGBM model that raises when a quantity of 13 is among the clicks."""

    def load_context(self, context: Any) -> None:
        self.booster = lightgbm.Booster(model_file=context.artifacts["booster"])

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        if (model_input["quantity"] == POISON).any():
            raise ValueError("what is this?")
        return self.booster.predict(model_input)


def odd(record: bytes, number: int) -> bytes:
    """Return what real feeds hold beside the usual: nulls, unknown categories, extremes, other scripts, poison."""
    try:
        click = json.loads(record)
        assert isinstance(click, dict)
    except (ValueError, AssertionError):
        return record
    variants: list[dict[str, Any]] = [
        {}, {"price": None, "device": None, "returning": None}, {"device": "toaster", "country": "ZZ", "channel": "x"},
        {"price": 1e308, "dwell_ms": 2**63 - 1, "viewport_width": 2**31 - 1}, {"price": -0.0, "viewport_height": 0},
        {"search_query": "Bücher 書籍 📚\x00", "page_url": "https://shop.example.com/ä"}, {"price": 0},
        {"event_time": "0001-01-01T00:00:00Z"}, {"event_time": 1_772_366_400_123},
    ]  # fmt: skip
    poison = {0: {"quantity": int(POISON)}, 1: {"page_url": "poison"}}.get(number % POISON_EVERY, {})
    return json.dumps({**click, **variants[number % len(variants)], **poison}, ensure_ascii=number % 2 == 0).encode()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[list[bytes]]:
    folder = tmp_path_factory.mktemp("plain")
    list(write_history(folder, CLICKS, PER_FILE, MARCH_MS, 3.0, 7, Faults(malformed=0.02)))
    files = [file.read_bytes().removesuffix(b"\n").split(b"\n") for file in sorted(folder.iterdir())]
    return [[odd(record, number) for number, record in enumerate(lines)] for lines in files]


@pytest.fixture
def parity_shop(shop: Any, records: list[list[bytes]], registry_uri: str, register_model: Callable[..., str]) -> Any:
    features = Path("conf/features.sql").read_text().replace(
        "SELECT", "SELECT CAST(page_url[1:4] = 'http' AS DOUBLE) AS is_http,\n"
        "CASE WHEN page_url = 'poison' THEN CAST(page_url AS DOUBLE) ELSE 1.0 END AS is_safe,\n", 1,
    )  # fmt: skip
    (shop.home / "features.sql").write_text(features)
    shop.set(click=yaml.safe_load(Path("conf/local.yaml").read_text())["click"],
             features=str(shop.home / "features.sql"))  # fmt: skip
    names = read_definition(shop.config).features.schema.names
    rng = np.random.default_rng(3)
    example = pd.DataFrame(rng.normal(size=(400, len(names))), columns=names)
    booster = lightgbm.train(
        {"objective": "binary", "verbosity": -1}, lightgbm.Dataset(example, rng.random(400) < 0.5), 20
    )
    booster.save_model(shop.home / "booster.txt")
    signature = infer_signature(pd.concat([example, example * np.nan]), [0.5])
    register_model(mlflow.pyfunc.log_model, "touchy", python_model=Touchy(), signature=signature,
                   artifacts={"booster": str(shop.home / "booster.txt")}, input_example=example.head(2))  # fmt: skip
    shop.set(
        model={"uri": "models:/touchy@champion", "registry": registry_uri, "trust": "pickle", "failure_limit": 1.0}
    )
    for number, lines in enumerate(records):
        shop.land(f"{number}.jsonl", *lines)
    return shop


def bits(value: Any) -> Any:
    """Return a value so that two are equal only if all of their bits are."""
    return value.hex() if isinstance(value, float) and not math.isnan(value) else str(value)


def test_stream_scorer_and_training_agree_to_the_last_bit(
    spark: SparkSession, parity_shop: Any, records: list[list[bytes]], tmp_path: Path
) -> None:
    parity_shop.run(spark)
    config = load(parity_shop.config_file)
    definition, version = read_definition(config), fetch_current(config.model, tmp_path)
    model = LoadedModel(version.inputs, load_model(version.kind, version.folder), config.model.picks,
                        Tolerance(time_limit_s=10, count=CLICKS))  # fmt: skip
    scorer = ClickScorer(definition.contract, definition.features, model)
    values = pa.array([record for lines in records for record in lines], pa.binary())
    outcomes = [one for at in range(0, len(values), CHUNK) for one in scorer.score(values.slice(at, CHUNK)).to_pylist()]
    assert len(outcomes) == len(values)

    scored = [one for one in outcomes if one["reason"] is None]
    names = [*definition.contract.click.names, "score"]
    table = spark.read.format("delta").load(config.output.scored)
    times = {"event_time": F.unix_micros("event_time").alias("event_time")}
    rows = table.select(*[times.get(name, name) for name in names]).collect()
    expected = Counter(tuple(bits(micros(one[name])) for name in names) for one in scored)
    assert Counter(tuple(map(bits, row)) for row in rows) == expected

    rejected = spark.read.format("delta").load(config.output.rejected).select("raw", "reason", "detail").collect()
    found = Counter((as_bytes(row.raw, row.reason), row.reason, row.detail) for row in rejected)
    assert found == Counter(
        (value.as_py(), one["reason"], one["detail"])
        for value, one in zip(values, outcomes, strict=True)
        if one["reason"]
    )
    reasons = Counter(one["reason"] for one in outcomes)
    assert {None, "feature_failed", "scoring_failed", "malformed_json", "missing_field", "invalid_encoding"} < set(
        reasons
    )
    assert min(reasons["feature_failed"], reasons["scoring_failed"]) > CLICKS / POISON_EVERY / 2
    assert reasons[None] > CLICKS / 2

    training = Training.model_validate({"clicks": str(parity_shop.landing), "session": "session_id",
                                        "converted": "event_type = 'purchase'"})  # fmt: skip
    raw = read_batch(spark, str(parity_shop.landing))
    learned = labelled(raw, definition.contract, definition.features, training).select(
        *definition.features.schema.names
    )
    clicks, rejections = parser(definition.contract.click).parse(values)
    computed = definition.features.compute(clicks)
    features = [tuple(map(bits, one.values())) for row, one in enumerate(computed.values[0].to_pylist())
                if row not in rejections and row not in computed.failures]  # fmt: skip
    assert Counter(tuple(map(bits, row)) for row in learned.collect()) == Counter(features)


def as_bytes(raw: str, reason: str) -> bytes:
    return raw.encode("iso-8859-1" if reason == INVALID_ENCODING else "utf-8")


def micros(value: Any) -> Any:
    return int(value.timestamp() * 1e6) if hasattr(value, "timestamp") else value
