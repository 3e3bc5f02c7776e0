from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.errors import ModelError
from clickscore.model import as_scores, predict_with, share, warm_up
from clickscore.registry import ModelVersion, Registry


@pytest.fixture
def model(registry_uri: str, tmp_path: Path) -> ModelVersion:
    registry = Registry(registry_uri)
    return registry.fetch(*registry.resolve("models:/small_model@champion"), tmp_path)


def test_booster_on_arrow_equals_pyfunc_to_the_last_bit(spark: SparkSession, model: ModelVersion) -> None:
    share(spark, model)
    rng = np.random.default_rng(5)
    features = pd.DataFrame({"double_price": rng.uniform(-10, 300, 5_000), "quantity": rng.integers(0, 9, 5_000) * 1.0})
    features.loc[::7, "double_price"] = np.nan
    clicks = spark.createDataFrame(features.reset_index()).select(
        "index", F.struct("double_price", "quantity").alias("f")
    )
    clicks = clicks.withColumn(
        "f", F.struct(F.nullif("f.double_price", F.lit(float("nan"))).alias("double_price"), "f.quantity")
    )
    assert model.is_booster
    scores = clicks.select("index", predict_with(model)("f").alias("s")).orderBy("index").toPandas()["s"]
    expected = mlflow.pyfunc.load_model(str(model.folder)).predict(features)
    assert (scores.to_numpy() == expected).all()


def test_model_reaches_the_workers_by_the_session_and_not_by_its_folder(
    spark: SparkSession, model: ModelVersion
) -> None:
    share(spark, model)
    model.folder.rename(model.folder.with_name("gone"))
    score = spark.sql("SELECT struct(1D AS double_price, 1D AS quantity) AS f").select(predict_with(model)("f")).first()
    assert score is not None
    assert 0 < score[0] < 1


def test_model_that_fails_on_its_own_example_is_refused(spark: SparkSession, registry_uri: str, tmp_path: Path) -> None:
    class Broken(mlflow.pyfunc.PythonModel):
        def predict(self, context: object, model_input: pd.DataFrame) -> list[float]:
            raise RuntimeError("no luck")

    mlflow.set_tracking_uri(registry_uri)
    mlflow.set_registry_uri(registry_uri)
    example = pd.DataFrame({"double_price": [1.0], "quantity": [1.0]})
    signature = mlflow.models.infer_signature(example, [0.5])
    mlflow.set_experiment("small_model")
    with mlflow.start_run():
        mlflow.pyfunc.log_model(name="model", python_model=Broken(), signature=signature, input_example=example,
                                registered_model_name="broken", pip_requirements=[])  # fmt: skip
    model = Registry(registry_uri).fetch("broken", "1", tmp_path)
    share(spark, model)
    with pytest.raises(ModelError, match=r"broken version 1 cannot be used for scoring.*no luck"):
        warm_up(spark, model)


@pytest.mark.parametrize("prediction", [[0.25, 0.5], np.array([[0.25], [0.5]]), np.array([[0.75, 0.25], [0.5, 0.5]]),
                                        pd.DataFrame({"p": [0.25, 0.5]}), pd.Series([0.25, 0.5])])  # fmt: skip
def test_one_number_or_two_probabilities_per_click_make_a_score(prediction: object) -> None:
    assert as_scores(prediction, 2).tolist() == [0.25, 0.5]


@pytest.mark.parametrize("prediction", [[0.25], np.zeros((2, 3)), np.zeros((2, 2, 2))])
def test_any_other_shape_is_refused(prediction: object) -> None:
    with pytest.raises(ValueError, match="the model must predict one number"):
        as_scores(prediction, 2)
