"""Every kind of model gives in the stream what ``pyfunc.predict`` gives, to the last bit."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import onnx
import pandas as pd
import pytest
import xgboost
from mlflow.models import infer_signature
from onnx import TensorProto, helper
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.linear_model import LogisticRegression

from clickscore.config.model import Model
from clickscore.config.run import Config, load
from clickscore.registry.registry import fetch_current
from clickscore.registry.version import BOOSTER, ONNX, PYFUNC, ModelVersion
from clickscore.scoring.isolation import Tolerance
from clickscore.stream.deployment import Deployment

RNG = np.random.default_rng(5)
FEATURES = pd.DataFrame({"double_price": RNG.uniform(-10, 300, 5_000), "quantity": RNG.integers(0, 9, 5_000) * 1.0})
LABEL = (FEATURES["double_price"] + RNG.normal(0, 60, 5_000) > 100).astype(int).to_numpy()
STRICT = Tolerance(time_limit_s=30, count=0)


class Ratios(mlflow.pyfunc.PythonModel):
    """Named outputs."""

    def predict(self, context: object, model_input: pd.DataFrame) -> pd.DataFrame:
        share = model_input["double_price"] / 300
        return pd.DataFrame({"buy": share, "leave": 1 - share, "third": share / 3})


class Network(mlflow.pyfunc.PythonModel):
    """Loads weights as a PyTorch model would, and returns class probabilities."""

    def load_context(self, context: Any) -> None:
        self.weights = np.load(context.artifacts["weights"])

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        raised = np.exp(np.tanh(model_input.to_numpy(dtype=np.float32) @ self.weights))
        return raised / raised.sum(axis=1, keepdims=True)


def log_lightgbm(register: Callable[..., str], name: str) -> None:
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(FEATURES, LABEL), 10)
    register(mlflow.lightgbm.log_model, name, lgb_model=booster, signature=infer_signature(FEATURES, [0.5]))


def log_xgboost(register: Callable[..., str], name: str) -> None:
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(FEATURES, LABEL), 10)
    register(mlflow.xgboost.log_model, name, xgb_model=booster, signature=infer_signature(FEATURES, [0.5]))


def log_sklearn(register: Callable[..., str], name: str) -> None:
    classifier = LogisticRegression().fit(FEATURES, LABEL)
    register(mlflow.sklearn.log_model, name, sk_model=classifier, pyfunc_predict_fn="predict_proba",
             signature=infer_signature(FEATURES, np.zeros((1, 2))))  # fmt: skip


def log_onnx(register: Callable[..., str], name: str) -> None:
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [0.01, -0.2])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    wanted = helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 1])
    graph = helper.make_graph(nodes, "g", [given], [wanted], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    register(mlflow.onnx.log_model, name, onnx_model=onnx.shape_inference.infer_shapes(model),
             signature=infer_signature(FEATURES, np.zeros((1, 1), np.float32)))  # fmt: skip


def log_network(register: Callable[..., str], name: str) -> None:
    weights = Path("build/test/weights.npy")
    weights.parent.mkdir(parents=True, exist_ok=True)
    np.save(weights, RNG.normal(0, 0.02, (2, 3)).astype(np.float32))
    register(mlflow.pyfunc.log_model, name, python_model=Network(), artifacts={"weights": str(weights)},
             signature=infer_signature(FEATURES, np.zeros((1, 3), np.float32)))  # fmt: skip


def log_ratios(register: Callable[..., str], name: str) -> None:
    register(mlflow.pyfunc.log_model, name, python_model=Ratios(), signature=infer_signature(FEATURES, [0.5]))


def config_for(name: str, registry_uri: str, **settings: Any) -> Model:
    tree = {"uri": f"models:/{name}@champion", "registry": registry_uri, **settings}
    return Model.model_validate(tree)


def clicks(spark: SparkSession, rows: pd.DataFrame = FEATURES) -> DataFrame:
    return spark.createDataFrame(rows.reset_index(drop=True).reset_index()).select(
        "index", F.struct("double_price", "quantity").alias("f")
    )


def scores(spark: SparkSession, config: Model, model: ModelVersion, rows: pd.DataFrame = FEATURES) -> pd.DataFrame:
    predict = Deployment(spark, config).predict_with(model, STRICT)
    found = clicks(spark, rows).select("index", predict("f").alias("p")).select("index", "p.*")
    return found.orderBy("index").toPandas()


@pytest.mark.parametrize(("log", "kind", "column"), [
    (log_lightgbm, BOOSTER, None), (log_xgboost, PYFUNC, None), (log_sklearn, PYFUNC, 1), (log_onnx, ONNX, "p"),
    (log_network, PYFUNC, 2), (log_ratios, PYFUNC, "leave"),
])  # fmt: skip
def test_scores_of_the_stream_equal_those_of_pyfunc(
    log: Callable[..., None], kind: str, column: Any, spark: SparkSession, registry_uri: str, tmp_path: Path,
    register_model: Callable[..., str],
) -> None:  # fmt: skip
    name = f"kind_{log.__name__}"
    log(register_model, name)
    outputs = {} if column is None else {"score": column}
    config = config_for(name, registry_uri, trust="pickle", outputs=outputs)
    model = fetch_current(config, tmp_path)
    assert model.kind == kind
    found = scores(spark, config, model)
    assert found["_failure"].isna().all()
    expected = pd.DataFrame(mlflow.pyfunc.load_model(str(model.folder)).predict(FEATURES))
    picked = expected.iloc[:, 0] if column is None else expected[column]
    assert (found["score"].to_numpy() == picked.to_numpy().astype(np.float64)).all()
    assert found["score"].nunique() > 10


def test_absent_numbers_reach_a_booster_as_they_reach_pyfunc(
    spark: SparkSession, registry_uri: str, tmp_path: Path
) -> None:
    config = config_for("small_model", registry_uri)
    model = fetch_current(config, tmp_path)
    gaps = FEATURES.copy()
    gaps.loc[::7, "double_price"] = np.nan
    found = clicks(spark, gaps).withColumn(
        "f", F.struct(F.nullif("f.double_price", F.lit(float("nan"))).alias("double_price"), "f.quantity")
    )
    predict = Deployment(spark, config).predict_with(model, STRICT)
    got = found.select("index", predict("f")["score"].alias("s")).orderBy("index").toPandas()["s"]
    assert (got.to_numpy() == mlflow.pyfunc.load_model(str(model.folder)).predict(gaps)).all()


def test_several_outputs_become_several_columns(
    spark: SparkSession, registry_uri: str, tmp_path: Path, register_model: Callable[..., str]
) -> None:
    log_ratios(register_model, "many_outputs")
    config = config_for("many_outputs", registry_uri, trust="pickle", outputs={"p_leave": "leave", "score": "buy"})
    found = scores(spark, config, fetch_current(config, tmp_path))
    assert found.columns.tolist() == ["index", "score", "p_leave", "_failure"]
    assert np.allclose(found["score"] + found["p_leave"], 1)


def test_worker_has_one_thread(spark: SparkSession) -> None:
    seen = spark.range(1).rdd.map(lambda _: os.environ["OMP_NUM_THREADS"]).collect()
    assert seen == ["1"]


def test_configuration_of_the_demo_is_one_that_needs_no_trust() -> None:
    config: Config = load(Path("conf/local.yaml"))
    assert config.model.trust is None
