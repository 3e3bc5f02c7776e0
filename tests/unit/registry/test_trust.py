"""What a registered model must be before anything of it is loaded. Each attack would leave a mark on the disk."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
import xgboost
import yaml
from mlflow.models import infer_signature
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression

from clickscore.config.model import Allow
from clickscore.errors import UntrustedModelError
from clickscore.registry.trust import check_digest, check_files, digest

FEATURES = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
LABEL = np.array([0, 0, 1, 1])
SIGNATURE = infer_signature(FEATURES, np.array([0.5]))
COMMON: dict[str, Any] = {"signature": SIGNATURE, "pip_requirements": []}


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


class Custom(mlflow.pyfunc.PythonModel):
    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        return model_input["a"]


def booster() -> lightgbm.Booster:
    return lightgbm.train({"verbosity": -1, "min_data_in_leaf": 1}, lightgbm.Dataset(FEATURES, LABEL), 2)


def save(kind: str, folder: Path) -> Path:
    if kind == "booster":
        mlflow.lightgbm.save_model(booster(), folder, **COMMON)
    elif kind == "lightgbm classifier":
        classifier = lightgbm.LGBMClassifier(verbose=-1, min_child_samples=1).fit(FEATURES, LABEL)
        mlflow.lightgbm.save_model(classifier, folder, **COMMON)
    elif kind == "xgboost":
        model = xgboost.train({"max_depth": 1}, xgboost.DMatrix(FEATURES, LABEL), 2)
        mlflow.xgboost.save_model(model, folder, **COMMON)
    elif kind == "xgboost classifier":
        mlflow.xgboost.save_model(xgboost.XGBClassifier(n_estimators=2).fit(FEATURES, LABEL), folder, **COMMON)
    elif kind == "skops":
        mlflow.sklearn.save_model(LogisticRegression().fit(FEATURES, LABEL), folder, serialization_format="skops",
                                  **COMMON)  # fmt: skip
    elif kind == "sklearn pickle":
        mlflow.sklearn.save_model(LogisticRegression().fit(FEATURES, LABEL), folder, serialization_format="cloudpickle",
                                  **COMMON)  # fmt: skip
    elif kind == "custom":
        mlflow.pyfunc.save_model(folder, python_model=Custom(), **COMMON)
    return folder


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tree = yaml.safe_load((folder / "MLmodel").read_text())
    change(tree)
    (folder / "MLmodel").write_text(yaml.safe_dump(tree))


@pytest.mark.parametrize("kind", ["booster", "xgboost", "xgboost classifier", "skops"])
def test_model_that_only_holds_numbers_is_taken(kind: str, tmp_path: Path) -> None:
    check_files(save(kind, tmp_path / "m"), Allow(), False, "m")


@pytest.mark.parametrize(("kind", "what"), [
    ("custom", "a custom python_function is a pickle or code"),
    ("sklearn pickle", "a scikit-learn model in the format cloudpickle is a pickle"),
    ("lightgbm classifier", "LightGBM's lightgbm.sklearn.LGBMClassifier is not saved as the text of a Booster"),
])  # fmt: skip
def test_pickle_is_only_taken_where_it_is_trusted(kind: str, what: str, tmp_path: Path) -> None:
    folder = save(kind, tmp_path / "m")
    with pytest.raises(UntrustedModelError, match="needs trust: pickle in the model section") as caught:
        check_files(folder, Allow(), False, "m version 3")
    assert what in str(caught.value)
    assert str(caught.value).startswith("m version 3 is not trusted, and nothing of it was loaded")
    check_files(folder, Allow(), True, "m version 3")


def test_pickle_that_would_run_code_is_refused_before_it_can(tmp_path: Path) -> None:
    folder, mark = save("sklearn pickle", tmp_path / "m"), tmp_path / "mark"
    (folder / "model.pkl").write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(UntrustedModelError):
        check_files(folder, Allow(), False, "m")
    assert not mark.exists()
    with pytest.raises(Exception):  # noqa: B017  the bomb is real: MLflow itself would set it off
        mlflow.pyfunc.load_model(str(folder)).predict(FEATURES)
    assert mark.exists()


@pytest.mark.parametrize(("kind", "change", "what"), [
    ("booster", lambda t: t["flavors"]["python_function"].update(loader_module="os"),
     "loader_module os is not in model.allow"),
    ("booster", lambda t: t["flavors"].update(spark={}), "flavor spark is not in model.allow.flavors"),
    ("booster", lambda t: t["flavors"]["python_function"].update(code="code"),
     "python_function brings code of its own"),
    ("booster", lambda t: t["flavors"]["python_function"].update(data="../x/model.lgb"),
     "path ../x/model.lgb leads out"),
    ("booster", lambda t: t["flavors"]["lightgbm"].update(data="/etc/passwd"), "path /etc/passwd leads out"),
    ("booster", lambda t: t.update(saved_input_example_info={"artifact_path": "../../secret.json"}),
     "leads out"),
    ("booster", lambda t: t["flavors"]["lightgbm"].update(model_class="os.system"),
     "LightGBM's os.system is not saved"),
    ("xgboost", lambda t: t["flavors"]["xgboost"].update(model_class="subprocess.Popen"), "XGBoost's subprocess.Popen"),
    ("skops", lambda t: t["flavors"]["sklearn"].update(skops_trusted_types=["os.system"]), "trust the types os.system"),
])  # fmt: skip
def test_description_that_leads_to_code_or_out_of_the_folder_is_refused(
    kind: str, change: Callable[[dict[str, Any]], object], what: str, tmp_path: Path
) -> None:
    folder = save(kind, tmp_path / "m")
    edit(folder, change)
    with pytest.raises(UntrustedModelError) as caught:
        check_files(folder, Allow(), False, "m")
    assert what in str(caught.value)


def test_escape_is_refused_even_where_pickles_are_trusted(tmp_path: Path) -> None:
    folder = save("booster", tmp_path / "m")
    edit(folder, lambda tree: tree["flavors"]["python_function"].update(data="../x"))
    with pytest.raises(UntrustedModelError, match=r"path \.\./x leads out of the model's folder"):
        check_files(folder, Allow(), True, "m")


def test_second_description_beside_the_data_is_refused(tmp_path: Path) -> None:
    folder = save("skops", tmp_path / "m")
    (folder / "inner").mkdir()
    (folder / "inner" / "MLmodel").write_text((folder / "MLmodel").read_text())
    with pytest.raises(UntrustedModelError, match="there is a second MLmodel in inner"):
        check_files(folder, Allow(), False, "m")


def test_data_that_hide_in_a_folder_are_refused(tmp_path: Path) -> None:
    folder, mark = save("skops", tmp_path / "m"), tmp_path / "mark"
    (folder / "sub").mkdir()
    (folder / "sub" / "model.skops").write_bytes(pickle.dumps(Bomb(mark)))
    edit(folder, lambda tree: tree["flavors"]["python_function"].update(data="sub/model.skops"))
    with pytest.raises(UntrustedModelError, match=r"its data sub/model\.skops are not a file beside the MLmodel"):
        check_files(folder, Allow(), False, "m")
    with pytest.raises(Exception):  # noqa: B017  MLflow finds no description beside it, and takes it for a pickle
        mlflow.pyfunc.load_model(str(folder)).predict(FEATURES)
    assert mark.exists()


def test_compiled_code_is_refused_even_where_pickles_are_trusted(tmp_path: Path) -> None:
    folder = save("booster", tmp_path / "m")
    (folder / "code" / "__pycache__").mkdir(parents=True)
    (folder / "code" / "__pycache__" / "m.cpython-311.pyc").write_bytes(b"x")
    with pytest.raises(UntrustedModelError, match="compiled code in code/__pycache__"):
        check_files(folder, Allow(), True, "m")


@pytest.mark.parametrize(("change", "what"), [
    (lambda t: None, None),
    (lambda t: t["flavors"]["onnx"].update(providers=[["X", {"library": "/tmp/x.so"}]]), "providers have options"),
    (lambda t: t["flavors"]["onnx"].update(onnx_session_options={"extra_session_config": {"a": 1}}), "session entries"),
])  # fmt: skip
def test_onnx_model_may_not_choose_libraries(
    change: Callable[[dict[str, Any]], object], what: str | None, tmp_path: Path
) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 2]) for name in "xy"]
    graph = helper.make_model(helper.make_graph([node], "g", value[:1], value[1:]), ir_version=9,
                              opset_imports=[helper.make_opsetid("", 17)])  # fmt: skip
    mlflow.onnx.save_model(graph, tmp_path / "m", **COMMON)
    edit(tmp_path / "m", change)
    if what is None:
        check_files(tmp_path / "m", Allow(), False, "m")
        return
    with pytest.raises(UntrustedModelError, match=what):
        check_files(tmp_path / "m", Allow(), False, "m")


def test_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = save("booster", tmp_path / "m")
    (folder / "extra").symlink_to("/etc/hostname")
    with pytest.raises(UntrustedModelError, match="path extra leads out"):
        check_files(folder, Allow(), False, "m")


@pytest.mark.parametrize("text", ["", "[1]", "flavors: {lightgbm: {}}", "flavors: {python_function: 3}", "\0"])
def test_description_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(UntrustedModelError, match="does not describe a pyfunc model"):
        check_files(tmp_path, Allow(), True, "m")


def test_allow_list_can_be_narrowed(tmp_path: Path) -> None:
    with pytest.raises(UntrustedModelError, match=r"flavor xgboost is not in model\.allow\.flavors"):
        check_files(save("xgboost", tmp_path / "m"), Allow(flavors=("lightgbm",)), False, "m")


def test_digest_changes_with_names_and_contents_only(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "file").write_bytes(b"x")
    one, two = tmp_path / "one", tmp_path / "two"
    (two / "registered_model_meta").write_text("added by the download")
    assert digest(one) == digest(two)
    check_digest(two, digest(one), "m")
    (two / "sub" / "file").write_bytes(b"y")
    with pytest.raises(UntrustedModelError, match="the files are not those that were registered"):
        check_digest(two, digest(one), "m")
    (two / "sub" / "file").write_bytes(b"x")
    (two / "sub" / "file").rename(two / "sub" / "file2")
    assert digest(one) != digest(two)
