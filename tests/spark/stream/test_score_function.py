"""Champion and challenger in one pass: whatever a model does, the others keep their scores."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature
from pyspark.errors import PySparkException
from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as F

from clickscore.config.model import Model
from clickscore.registry.registry import fetch_version
from clickscore.registry.version import ModelVersion
from clickscore.scoring.contract import read_contract
from clickscore.scoring.features import read_features
from clickscore.scoring.isolation import Tolerance
from clickscore.scoring.parsing import parser
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import Layout
from clickscore.stream import pipeline
from clickscore.stream.deployment import Deployment
from clickscore.stream.packed_records import PACKED, count, decoded, message
from clickscore.stream.pipeline import Stamp

CONTRACT = read_contract(Path("tests/data/click.ddl"), "id", "at", "visitor")
FEATURES = read_features(Path("tests/data/features.sql"), CONTRACT.click)
LAYOUT = Layout(as_spark(CONTRACT.click), "id", "at", "visitor")
EXAMPLE = pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1.0, 2.0]})


class Fussy(mlflow.pyfunc.PythonModel):
    """Raises, hangs or answers rubbish at some quantities, and the quantity at all others."""

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        import time

        quantity = model_input["quantity"]
        if (quantity == 1001).any():
            raise ValueError("what is this?")
        while (quantity == 1002).any():
            time.sleep(0.01)
        if (quantity == 1004).any():
            return quantity.iloc[1:]
        return quantity.mask(quantity == 1003, float("inf"))


@pytest.fixture
def fussy(registry_uri: str, tmp_path: Path, register_model: Callable[..., str]) -> tuple[Model, ModelVersion]:
    version = register_model(mlflow.pyfunc.log_model, "fussy", python_model=Fussy(), input_example=EXAMPLE,
                             signature=infer_signature(EXAMPLE, [0.5]))  # fmt: skip
    config = Model.model_validate({"uri": "models:/small_model@champion", "registry": registry_uri, "trust": "pickle",
                                   "challenger_time_limit": "500 milliseconds"})  # fmt: skip
    return config, fetch_version(config, "fussy", version, tmp_path / "fussy")


def outcomes(
    spark: SparkSession, config: Model, champion: ModelVersion, tolerance: Tolerance, quantities: list[int],
    challenger: ModelVersion | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    score = Deployment(spark, config).score_with(CONTRACT, FEATURES, champion, tolerance, challenger)
    click = {"at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 0.5}
    records = [json.dumps({**click, "id": f"{number:05}", "quantity": q}) for number, q in enumerate(quantities)]
    rows = spark.createDataFrame([(bytearray(record.encode()),) for record in records], "value BINARY").coalesce(1)
    found = rows.select(score("value").alias("outcome")).select("outcome.*").orderBy("id")
    return [row.asDict() for row in found.collect()]


def test_clicks_that_the_model_fails_on_are_told_and_the_others_scored(
    spark: SparkSession, fussy: tuple[Model, ModelVersion]
) -> None:
    quantities = list(range(200))
    quantities[3], quantities[70], quantities[100], quantities[150] = 1001, 1002, 1003, 1004
    found = outcomes(spark, *fussy, Tolerance(time_limit_s=0.5, count=10), quantities)
    failures = {n: row["detail"] for n, row in enumerate(found) if row["reason"] == "scoring_failed"}
    assert failures == {
        3: "ValueError: what is this?",
        70: "TimeoutError: no prediction within 0.5 s",
        100: "OutputError: expected a finite number, found inf",
        150: "OutputError: the model must predict one number, or one row of numbers, for each of 1 clicks; "
             "it predicted an array of shape (0,)",
    }  # fmt: skip
    assert [row["score"] for row in found] == [None if n in failures else q for n, q in enumerate(quantities)]


def test_task_with_more_failures_than_tolerated_fails(spark: SparkSession, fussy: tuple[Model, ModelVersion]) -> None:
    with pytest.raises(PySparkException, match="TooManyFailuresError: 11 of 50 clicks of a task"):
        outcomes(spark, *fussy, Tolerance(time_limit_s=5, count=10), [1003] * 50)


def test_challenger_scores_only_its_share_of_the_visitors(
    spark: SparkSession, fussy: tuple[Model, ModelVersion], tmp_path: Path
) -> None:
    config, challenger = fussy
    champion = fetch_version(config, "small_model", "1", tmp_path)
    nobody = config.model_copy(update={"challenger_share": 0.0})
    everybody = config.model_copy(update={"challenger_share": 1.0})
    for settings, expected in ((nobody, [None, None]), (everybody, [5.0, 6.0])):
        found = outcomes(spark, settings, champion, Tolerance(5, 10), [5, 6], challenger)
        assert [row["challenger_score"] for row in found] == expected
        assert all(row["score"] is not None and row["reason"] is None for row in found)


def test_challenger_that_cannot_even_be_loaded_harms_nobody(
    spark: SparkSession, fussy: tuple[Model, ModelVersion], tmp_path: Path
) -> None:
    config, challenger = fussy
    config = config.model_copy(update={"challenger_share": 1.0})
    champion = fetch_version(config, "small_model", "1", tmp_path)
    changed = replace(challenger, digest="0" * 64)
    [found] = outcomes(spark, config, champion, Tolerance(5, 10), [5], changed)
    assert found["score"] is not None
    assert "the files are not those that were registered" in found["challenger_detail"]


@pytest.mark.parametrize(("poison", "failure"), [(1001, "ValueError: what is this?"), (1002, "the model hangs"),
                                                 (1003, "OutputError: expected a finite number")])  # fmt: skip
def test_failing_or_slow_challenger_does_no_harm_to_the_champion(
    poison: float, failure: str, spark: SparkSession, fussy: tuple[Model, ModelVersion], tmp_path: Path
) -> None:
    config, challenger = fussy
    champion = fetch_version(config, "small_model", "1", tmp_path)
    config = config.model_copy(update={"challenger_share": 1.0})
    quantities = [poison, 6, 7, 8]
    alone = outcomes(spark, config, champion, Tolerance(5, 10), quantities)
    found = outcomes(spark, config, champion, Tolerance(5, 10), quantities, challenger)
    assert [row["score"] for row in found] == [row["score"] for row in alone]
    assert found[0]["challenger_detail"].startswith(failure)
    assert found[0]["challenger_score"] is None


def test_record_is_scored_once_however_often_its_outcome_is_used(
    spark: SparkSession, registry_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Model(uri="models:/small_model@champion", registry=registry_uri)
    model = fetch_version(config, "small_model", "1", tmp_path)
    score = Deployment(spark, config).score_with(CONTRACT, FEATURES, model, Tolerance(5, 1))
    raw = spark.createDataFrame([(bytearray(b"{}"), "file", 0, None)], LAYOUT.raw)
    counted = pipeline.with_outcomes(raw, score).observe(Observation(), *pipeline.census(LAYOUT))
    pipeline.scored(counted, LAYOUT, Stamp(0, F.current_timestamp(), "m", "1")).explain()
    assert capsys.readouterr().out.count("ArrowEvalPython") == 1


def test_packed_records_get_the_outcomes_of_others_and_a_duplicate_is_scored_by_no_model(
    spark: SparkSession, fussy: tuple[Model, ModelVersion]
) -> None:
    config, model = fussy
    everybody = config.model_copy(update={"challenger_share": 1.0})
    score = Deployment(spark, everybody).score_with(CONTRACT, FEATURES, model, Tolerance(5, 10), model)
    click = {"at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 0.5}
    records = [json.dumps({**click, "id": f"{n}", "quantity": n}).encode() for n in (1, 2, 1001, 3)] + [
        b"wrong",
        b"\xff",
    ]
    rows = [(bytearray(record), "clicks-0", offset, None) for offset, record in enumerate(records)]
    raw = spark.createDataFrame(rows, LAYOUT.raw)
    batch = pa.concat_batches(raw.toArrow().to_batches())
    whole = decoded(batch, parser(CONTRACT.click).parse(batch.column("value")))
    packed = spark.createDataFrame(
        [
            (bytearray(message(whole.slice(0, 4))), bytearray([0, 0, 0, 1])),
            (bytearray(message(whole.slice(4, 2))), bytearray(2)),
        ],
        PACKED,
    )
    alone, beside = (
        {row.source_offset: row for row in score.outcomes(each, LAYOUT).collect()} for each in (raw, packed)
    )
    assert {n: beside[n] for n in beside if n != 3} == {n: alone[n] for n in alone if n != 3}
    assert [beside[n]["_outcome"].reason for n in (0, 1, 2, 4, 5)] == [
        None, None, "scoring_failed", "malformed_json", "invalid_encoding",
    ]  # fmt: skip
    duplicate = beside[3]
    outcome = duplicate["_outcome"]
    assert [beside[n]["_outcome"].challenger_score for n in (0, 1, 3)] == [1.0, 2.0, None]
    assert (duplicate["_duplicate"], outcome.score, outcome.reason, bytes(duplicate.value)) == (
        True,
        None,
        None,
        records[3],
    )
    assert (count(raw), count(packed), count(packed.limit(0))) == (6, 6, 0)
