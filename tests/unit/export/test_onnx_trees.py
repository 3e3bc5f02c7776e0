import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from clickscore.export.onnx_trees import ConversionError, one_file, to_onnx

Floats = npt.NDArray[np.float64]
SETTINGS = {"verbosity": -1, "num_threads": 1, "num_leaves": 15}
NEAR = 1e-12


def rows(seed: int, share_of_nulls: float = 0.2) -> Floats:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(1_500, 4)) * [1, 100, 1e-3, 1]
    found[:, 3] = found[:, 3].round()
    found[rng.random(found.shape) < share_of_nulls] = np.nan
    return found


def odd_rows() -> Floats:
    found = rows(2)
    found[:5] = np.array([np.inf, -np.inf, 0.0, -0.0, 1e300])[:, None]
    return found


def trained(label: Floats, features: Floats, rounds: int = 20, **settings: Any) -> lightgbm.Booster:
    return lightgbm.train(SETTINGS | settings, lightgbm.Dataset(features, label), rounds)


def predicted(content: bytes, features: Floats) -> Floats:
    return onnxruntime.InferenceSession(content).run(None, {"features": features})[0]


@pytest.mark.parametrize("share_of_nulls", [0.0, 0.2], ids=["without nulls", "with nulls"])
@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "binary"},
        {"objective": "binary", "sigmoid": 2.5},
        {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
        {"objective": "cross_entropy"},
        {"objective": "regression"},
        {"objective": "quantile"},
        {"objective": "poisson"},
        {"objective": "multiclass", "num_class": 3},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_scores_are_those_of_the_booster(settings: dict[str, Any], share_of_nulls: float) -> None:
    features = rows(1, share_of_nulls)
    label = np.nan_to_num(features[:, 0]) + np.nan_to_num(features[:, 3])
    label = label + np.random.default_rng(4).normal(size=len(label))
    if settings["objective"] not in ("regression", "quantile"):
        label = np.clip(label.round(), 0, 2 if settings["objective"] == "multiclass" else 1)
    booster = trained(label, features, **settings)
    expected = booster.predict(odd_rows())
    found = predicted(to_onnx(booster), odd_rows())
    assert len(np.unique(expected)) > 20
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=NEAR, atol=NEAR)


def test_booster_of_leaves_alone_keeps_its_constant() -> None:
    booster = trained(np.arange(1_500) % 3 / 3, rows(1), objective="regression", min_data_in_leaf=1_400)
    assert np.unique(booster.predict(odd_rows())).size == 1
    np.testing.assert_allclose(predicted(to_onnx(booster), odd_rows()).ravel(), booster.predict(odd_rows()), rtol=NEAR)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"objective": "binary", "categorical_feature": [3]}, "it splits on categories"),
        ({"objective": "binary", "zero_as_missing": True}, "it takes 0 for null"),
        ({"objective": "regression", "linear_tree": True}, "its leaves are linear functions"),
        ({"objective": "regression", "reg_sqrt": True}, "its objective is regression sqrt"),
        ({"objective": lambda found, data: (found - data.get_label(), np.ones(len(found)))}, "its objective is custom"),
        ({"objective": "lambdarank", "group": 10}, "its objective is lambdarank"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_not_written_in_onnx_is_named(settings: dict[str, Any], said: str) -> None:
    features = rows(1, share_of_nulls=0.0)
    features[:, 3] = np.abs(features[:, 3])
    label = (features[:, 3] > 0).astype(np.float64)
    group = [settings.pop("group")] * 150 if "group" in settings else None
    chosen = settings.pop("categorical_feature", "auto")
    of_trees = {name: settings[name] for name in ("linear_tree", "zero_as_missing") if name in settings}
    data = lightgbm.Dataset(
        features, label, group=group, categorical_feature=chosen, params=of_trees | {"verbosity": -1}
    )
    with pytest.raises(ConversionError, match=said):
        to_onnx(lightgbm.train(SETTINGS | settings, data, 5))


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    booster = trained(np.arange(1_500) % 2, rows(1), 1, objective="binary")
    monkeypatch.setitem(sys.modules, "onnx", None)
    for convert, given in ((to_onnx, booster), (one_file, tmp_path)):
        with pytest.raises(ConversionError, match=r"onnx is missing: pip install 'clickscore\[export\]'"):
            convert(given)


def test_categories_of_pandas_are_named() -> None:
    frame = pd.DataFrame({"device": pd.Categorical(["mobile", "desktop", "tablet"] * 200)})
    booster = lightgbm.train({**SETTINGS, "objective": "binary"}, lightgbm.Dataset(frame, [1.0, 0.0, 0.0] * 200), 3)
    with pytest.raises(ConversionError, match="its features are categories of pandas"):
        to_onnx(booster)


def test_numbers_that_mlflow_keeps_beside_a_model_are_taken_in(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.arange(1_000, dtype=np.float64), "weights")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "weights"], ["y"])], "g",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [1_000])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1_000])], [weights],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save_model(model, tmp_path / "model.onnx", save_as_external_data=True)
    assert len(list(tmp_path.iterdir())) == 2
    session = onnxruntime.InferenceSession(one_file(tmp_path / "model.onnx"))
    assert session.run(None, {"x": np.ones(1_000)})[0].tolist() == list(range(1, 1_001))
