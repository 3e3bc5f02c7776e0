"""Champion and challenger in one pass: whatever a model does, the others keep their scores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.models import infer_signature
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.config.model import Model
from clickscore.registry.registry import fetch_version
from clickscore.registry.version import ModelVersion
from clickscore.scoring.isolation import Tolerance
from clickscore.stream.deployment import Deployment
from clickscore.stream.udf import MOST_LISTED

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


def predictions(
    spark: SparkSession, config: Model, champion: ModelVersion, tolerance: Tolerance, quantities: list[float],
    challenger: ModelVersion | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    predict = Deployment(spark, config).predict_with(champion, tolerance, challenger)
    rows = spark.createDataFrame(list(enumerate(quantities)), "n INT, quantity DOUBLE").coalesce(1)
    features = F.struct(F.lit(1.0).alias("double_price"), "quantity")
    inputs = [features, F.when(F.col("n") % 2 == 0, features)] if challenger else [features]
    found = rows.select("n", predict(*inputs).alias("p")).select("n", "p.*").orderBy("n")
    return [row.asDict() for row in found.collect()]


def test_clicks_that_the_model_fails_on_are_told_and_the_others_scored(
    spark: SparkSession, fussy: tuple[Model, ModelVersion]
) -> None:
    quantities = [float(number) for number in range(200)]
    quantities[3], quantities[70], quantities[100], quantities[150] = 1001.0, 1002.0, 1003.0, 1004.0
    found = predictions(spark, *fussy, Tolerance(time_limit_s=0.5, count=10), quantities)
    failures = {row["n"]: row["_failure"] for row in found if row["_failure"]}
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
        predictions(spark, *fussy, Tolerance(time_limit_s=5, count=10), [1003.0] * 50)


def test_driver_is_not_flooded_with_failures(spark: SparkSession, fussy: tuple[Model, ModelVersion]) -> None:
    found = predictions(spark, *fussy, Tolerance(time_limit_s=5, count=10_000), [1003.0] * 1_500)
    assert sum(bool(row["_failure"]) for row in found) == MOST_LISTED
    assert sum(row["_failure"] is not None for row in found) == 1_500


def test_challenger_scores_only_its_share_of_the_clicks(
    spark: SparkSession, fussy: tuple[Model, ModelVersion], tmp_path: Path
) -> None:
    config, challenger = fussy
    champion = fetch_version(config, "small_model", "1", tmp_path)
    found = predictions(spark, config, champion, Tolerance(5, 10), [5.0, 6.0, 7.0, 8.0], challenger)
    assert [row["challenger_score"] for row in found] == [5.0, None, 7.0, None]
    assert all(row["score"] is not None and row["_failure"] is None for row in found)


def test_marked_clicks_are_scored_from_the_champions_inputs(
    spark: SparkSession, fussy: tuple[Model, ModelVersion], tmp_path: Path
) -> None:
    config, challenger = fussy
    champion = fetch_version(config, "small_model", "1", tmp_path)
    predict = Deployment(spark, config).predict_with(champion, Tolerance(5, 10), challenger)
    rows = spark.createDataFrame([(1, 5.0), (2, 6.0), (3, 7.0)], "n INT, quantity DOUBLE").coalesce(1)
    features = F.struct(F.lit(1.0).alias("double_price"), "quantity")
    found = rows.select("n", predict(features, F.col("n") > 1)["challenger_score"].alias("c")).orderBy("n").collect()
    assert [row.c for row in found] == [None, 6.0, 7.0]


@pytest.mark.parametrize(("poison", "failure"), [(1001.0, "ValueError: what is this?"), (1002.0, "the model hangs"),
                                                 (1003.0, "OutputError: expected a finite number")])  # fmt: skip
def test_failing_or_slow_challenger_does_no_harm_to_the_champion(
    poison: float, failure: str, spark: SparkSession, fussy: tuple[Model, ModelVersion], tmp_path: Path
) -> None:
    config, challenger = fussy
    champion = fetch_version(config, "small_model", "1", tmp_path)
    quantities = [poison, 6.0, 7.0, 8.0]
    alone = predictions(spark, config, champion, Tolerance(5, 10), quantities)
    found = predictions(spark, config, champion, Tolerance(5, 10), quantities, challenger)
    assert [row["score"] for row in found] == [row["score"] for row in alone]
    assert found[0]["_challenger_failure"].startswith(failure)
    assert found[0]["challenger_score"] is None


def test_model_is_asked_once_however_often_its_answer_is_used(
    spark: SparkSession, registry_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = Model(uri="models:/small_model@champion", registry=registry_uri)
    predict = Deployment(spark, config).predict_with(
        fetch_version(config, "small_model", "1", tmp_path), Tolerance(5, 1)
    )
    clicks = spark.range(10).selectExpr("struct(1D AS double_price, 2D AS quantity) AS _features")
    predicted = clicks.withColumn("_predicted", predict("_features")).where("_predicted._failure IS NULL")
    predicted.select("_predicted.score", (F.col("_predicted")["score"] * 2).alias("twice")).explain()
    assert capsys.readouterr().out.count("ArrowEvalPython") == 1
