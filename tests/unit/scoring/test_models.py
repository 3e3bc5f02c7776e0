"""Every kind of model gives what ``pyfunc.predict`` gives, to the last bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import onnx
import pandas as pd
import pyarrow as pa
import pytest
import xgboost
from mlflow.models import infer_signature
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

from clickscore.config.model import Model
from clickscore.config.run import load as load_config
from clickscore.errors import ModelError
from clickscore.registry.registry import fetch_current
from clickscore.registry.version import ModelVersion
from clickscore.scoring.models import BOOSTER, ONNX, PYFUNC, load, load_booster
from clickscore.scoring.outputs import pick

RNG = np.random.default_rng(5)
FEATURES = pd.DataFrame({"double_price": RNG.uniform(-10, 300, 5_000), "quantity": RNG.integers(0, 9, 5_000) * 1.0})
LABEL = (FEATURES["double_price"] + RNG.normal(0, 60, 5_000) > 100).astype(int).to_numpy()


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


def as_inputs(rows: pd.DataFrame, schema: pa.Schema) -> pa.StructArray:
    arrays = [pa.array(rows[field.name], field.type, from_pandas=True) for field in schema]
    return pa.StructArray.from_arrays(arrays, fields=list(schema))


def scores(config: Model, model: ModelVersion, rows: pd.DataFrame = FEATURES) -> np.ndarray:
    outputs = load(model.kind, model.folder)(as_inputs(rows, model.inputs))
    return pick(outputs, tuple(config.picks.values()))


@pytest.mark.parametrize(("log", "kind", "column"), [
    (log_lightgbm, BOOSTER, None), (log_xgboost, PYFUNC, None), (log_sklearn, PYFUNC, 1), (log_onnx, ONNX, "p"),
    (log_network, PYFUNC, 2), (log_ratios, PYFUNC, "leave"),
])  # fmt: skip
def test_scores_equal_those_of_pyfunc(
    log: Callable[..., None], kind: str, column: Any, registry_uri: str, tmp_path: Path,
    register_model: Callable[..., str],
) -> None:  # fmt: skip
    name = f"kind_{log.__name__}"
    log(register_model, name)
    outputs = {} if column is None else {"score": column}
    config = config_for(name, registry_uri, trust="pickle", outputs=outputs)
    model = fetch_current(config, tmp_path)
    assert model.kind == kind
    [found] = scores(config, model).T
    expected = pd.DataFrame(mlflow.pyfunc.load_model(str(model.folder)).predict(FEATURES))
    picked = expected.iloc[:, 0] if column is None else expected[column]
    assert (found == picked.to_numpy().astype(np.float64)).all()
    assert len(set(found)) > 10


def test_absent_numbers_reach_a_booster_as_they_reach_pyfunc(registry_uri: str, tmp_path: Path) -> None:
    config = config_for("small_model", registry_uri)
    model = fetch_current(config, tmp_path)
    gaps = FEATURES.copy()
    gaps.loc[::7, "double_price"] = np.nan
    expected = mlflow.pyfunc.load_model(str(model.folder)).predict(gaps)
    assert (scores(config, model, gaps)[:, 0] == expected).all()


def test_booster_scores_a_click_alone_as_it_does_in_company(registry_uri: str, tmp_path: Path) -> None:
    config = config_for("small_model", registry_uri)
    model = fetch_current(config, tmp_path)
    some = FEATURES.head(200).copy()
    some.loc[::3, "double_price"], some.loc[::5, "quantity"], some.loc[7, "quantity"] = np.nan, np.nan, np.inf
    predict = load(model.kind, model.folder)
    inputs = as_inputs(some, model.inputs)
    alone = [predict(inputs.slice(row, 1)).values[0, 0] for row in range(len(some))]
    assert alone == predict(inputs).values[:, 0].tolist()


def test_folder_without_a_booster_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"{tmp_path} has no Booster of LightGBM: .*in which model.lgb is"):
        load_booster(tmp_path)
    (tmp_path / "model.lgb").write_text("tree")
    with pytest.raises(ModelError, match="has no Booster of LightGBM"):
        load_booster(tmp_path)


def test_several_outputs_become_several_columns(
    registry_uri: str, tmp_path: Path, register_model: Callable[..., str]
) -> None:
    log_ratios(register_model, "many_outputs")
    config = config_for("many_outputs", registry_uri, trust="pickle", outputs={"p_leave": "leave", "score": "buy"})
    assert list(config.picks) == ["score", "p_leave"]
    assert np.allclose(scores(config, fetch_current(config, tmp_path)).sum(axis=1), 1)


def test_configuration_of_the_demo_is_one_that_needs_no_trust() -> None:
    config = load_config(Path("conf/local.yaml"))
    assert config.model.trust is None
