"""One scorer: every way of running gives the same verdicts, features and scores, to the last bit."""

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
from rich.console import Console
from tests.support.endpoint import mlflow_served
from tests.support.service import served

from clickscore import embedded
from clickscore.config import outcome
from clickscore.config.run import Config, load
from clickscore.export.export import export
from clickscore.reasons import INVALID_ENCODING, SCORING_FAILED
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
from shopsim.outcomes import Agreement, Outcome, compare, of_scorer, of_service, of_tables
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
    register_model(mlflow.lightgbm.log_model, "untouched", lgb_model=booster, signature=signature)
    register_model(mlflow.pyfunc.log_model, "touchy", python_model=Touchy(), signature=signature,
                   artifacts={"booster": str(shop.home / "booster.txt")}, input_example=example.head(2))  # fmt: skip
    shop.set(
        model={"uri": "models:/touchy@champion", "registry": registry_uri, "trust": "pickle", "failure_limit": 1.0}
    )
    for number, lines in enumerate(records):
        shop.land(f"{number}.jsonl", *lines)
    return shop


def scorer_of(shop: Any, folder: Path) -> ClickScorer:
    """Return the scorer of a run in this process."""
    config = load(shop.config_file)
    definition, version = read_definition(config), fetch_current(config.model, folder)
    model = LoadedModel(version.inputs, load_model(version.kind, version.folder), config.model.picks,
                        Tolerance(time_limit_s=10, count=CLICKS))  # fmt: skip
    return ClickScorer(definition.contract, definition.features, model)


def bits(value: Any) -> Any:
    """Return a value so that two are equal only if all of their bits are."""
    return value.hex() if isinstance(value, float) and not math.isnan(value) else str(value)


def test_stream_scorer_and_training_agree_to_the_last_bit(
    spark: SparkSession, parity_shop: Any, records: list[list[bytes]], tmp_path: Path
) -> None:
    parity_shop.run(spark)
    config = load(parity_shop.config_file)
    definition, scorer = read_definition(config), scorer_of(parity_shop, tmp_path)
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

    assert compare(of_run(config), of_scorer(lambda _: answers(outcomes), values.to_pylist(), "event_id")) == ALIKE
    with served(parity_shop) as service:
        by_service = of_service(f"{service.url}/score", with_text(values), "event_id")
        assert compare((one for one in of_run(config) if one.record.strip()), by_service) == ALIKE

    purchase = {"success": "event_type = 'purchase'", "unit": "session", "session": "session_id", "window": "1 hour"}
    raw = read_batch(spark, str(parity_shop.landing))
    defined = outcome.Outcome.model_validate(purchase)
    examples = labelled(raw, definition.contract, definition.features, defined)
    learned = examples.select(*definition.features.schema.names)
    clicks, rejections = parser(definition.contract.click).parse(values)
    computed = definition.features.compute(clicks)
    features = [tuple(map(bits, one.values())) for row, one in enumerate(computed.values[0].to_pylist())
                if row not in rejections and row not in computed.failures]  # fmt: skip
    assert Counter(tuple(map(bits, row)) for row in learned.collect()) == Counter(features)


def test_batch_and_endpoint_agree_with_the_scorer(
    spark: SparkSession, parity_shop: Any, records: list[list[bytes]], registry_uri: str, tmp_path: Path,
    run_job: Callable[..., Any],
) -> None:  # fmt: skip
    values = pa.array([record for lines in records for record in lines], pa.binary())
    expected = list(of_scorer(lambda _: answers(scorer_of(parity_shop, tmp_path).score(values).to_pylist()),
                              values.to_pylist(), "event_id"))  # fmt: skip

    def elsewhere(name: str) -> None:
        home = parity_shop.home / name
        tables = {table: str(home / f"{table}_clicks") for table in ("scored", "rejected")}
        parity_shop.set(output=tables, checkpoint=str(home / "checkpoint"))

    elsewhere("batch")
    landed, nothing = parity_shop.landing, parity_shop.home / "nothing"
    nothing.mkdir()
    parity_shop.set(source={"kind": "folder", "path": str(nothing)})
    parity_shop.run(spark)  # it begins the tables, and has nothing to read
    done = run_job("score_batch", "--config", str(parity_shop.config_file), "--files", str(landed))
    assert done.status == 0, done.err
    assert compare(expected, of_run(parity_shop.config)) == ALIKE

    elsewhere("endpoint")
    example = parity_shop.home / "example.json"
    names = read_definition(parity_shop.config).features.schema.names
    example.write_text(json.dumps({"dataframe_split": {"columns": names, "data": [[0.0] * len(names)]}}))
    with mlflow_served(registry_uri, "models:/touchy@champion", tmp_path) as server:
        endpoint = {"name": "touchy", "version": "1", "example": str(example), "deadline": "60 seconds"}
        parity_shop.set(source={"kind": "folder", "path": str(landed)}, model={
            "uri": f"endpoint:{server.url}", "endpoint": endpoint, "failure_limit": 1.0,
        })  # fmt: skip
        parity_shop.run(spark)
    found = of_run(parity_shop.config)
    assert compare(map(in_own_words, expected), map(in_own_words, found)) == ALIKE


def in_own_words(outcome: Outcome) -> Outcome:
    """Return an outcome without the words of a model that fails: a server wraps them."""
    return outcome._replace(detail=None) if outcome.reason == SCORING_FAILED else outcome


def test_exported_folder_agrees_to_the_last_bit_and_its_onnx_model_nearly(
    parity_shop: Any, records: list[list[bytes]], registry_uri: str, tmp_path: Path
) -> None:
    parity_shop.set(model={"uri": "models:/untouched@champion", "registry": registry_uri})
    config, scorer = load(parity_shop.config_file), scorer_of(parity_shop, tmp_path / "version")
    values = pa.array([record for lines in records for record in lines], pa.binary())
    expected = list(of_scorer(lambda _: answers(scorer.score(values).to_pylist()), values.to_pylist(), "event_id"))
    assert Counter(outcome.reason for outcome in expected)["feature_failed"] > CLICKS / POISON_EVERY / 2

    export(config, tmp_path / "exported", None, Console(quiet=True))
    for onnx, tolerance in ((False, 0.0), (True, 1e-6)):
        folder = embedded.load(tmp_path / "exported", onnx=onnx)
        found = ((one.reason, one.detail, one.score) for one in folder.score_many(values.to_pylist()))
        agreement = compare(expected, of_scorer(lambda _, found=found: found, values.to_pylist(), "event_id"))
        assert agreement.verdicts == 0
        assert agreement.worst <= tolerance


ALIKE = Agreement(0, 0, 0.0)


def of_run(config: Config) -> list[Outcome]:
    return of_tables(config.output.scored, config.output.rejected, "event_id")


def answers(outcomes: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["reason"], one["detail"], one["score"]) for one in outcomes]


def with_text(values: pa.BinaryArray) -> list[bytes]:
    """Return the records that the service takes for records: blank lines are none."""
    return [record for record in values.to_pylist() if record.strip()]


def as_bytes(raw: str, reason: str) -> bytes:
    return raw.encode("iso-8859-1" if reason == INVALID_ENCODING else "utf-8")


def micros(value: Any) -> Any:
    return int(value.timestamp() * 1e6) if hasattr(value, "timestamp") else value
