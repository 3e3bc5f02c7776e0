"""Models as the common wrappers and converters make them: each scores a click alike in every company, or is refused."""

import warnings
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
from mlflow.models import Model, infer_signature
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from clickscore.errors import ModelError
from clickscore.registry.version import ModelVersion, as_inputs, read_version
from clickscore.scoring.models import BOOSTER, ONNX, answer, load, load_booster
from clickscore.scoring.outputs import Pick, pick

RNG = np.random.default_rng(8)
ROWS = 600
FEATURES = pd.DataFrame({"price": RNG.uniform(0, 100, ROWS), "quantity": RNG.integers(0, 9, ROWS) * 1.0})
DEVICE = RNG.choice(["mobile", "desktop", "tablet"], ROWS)
LABEL = ((FEATURES["price"] > 50) ^ (DEVICE == "mobile")).astype(int).to_numpy()
CODED = FEATURES.assign(device=pd.Categorical(DEVICE), level=pd.Categorical(RNG.integers(1, 4, ROWS)))
AS_READ = CODED.astype({"device": str, "level": "int64"})
NAMES = infer_signature(AS_READ, [0.5])

pytestmark = pytest.mark.filterwarnings("ignore")


def version_in(folder: Path) -> ModelVersion:
    return read_version(Model.load(str(folder)), folder, "m", "1", "", None, {}, lambda _: {})


def save(save_model: Callable[..., Any], folder: Path, **what: Any) -> ModelVersion:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow tries the example in its own way, which some of these models refuse
        # With the requirements given, MLflow starts no process to find them out.
        save_model(path=str(folder / "model"), pip_requirements=["mlflow"], **what)
    return version_in(folder / "model")


def scores(version: ModelVersion, rows: pd.DataFrame, wanted: Pick = None) -> np.ndarray:
    """Return the scores of rows after the version has passed its trial; each row is scored alone as well."""
    predict = load(version.kind, version.folder)
    assert version.example is not None
    answer(predict, version.example, (wanted,))
    inputs = as_inputs(rows, version.inputs, "m")
    together = pick(predict(inputs), (wanted,))[:, 0]
    alone = [pick(predict(inputs.slice(row, 1)), (wanted,))[0, 0] for row in range(len(rows))]
    assert np.allclose(alone, together, rtol=1e-6, equal_nan=True)
    return together


def refusal(version: ModelVersion, wanted: Pick = None) -> str:
    assert version.example is not None
    with pytest.raises(ModelError) as caught:
        answer(load(version.kind, version.folder), version.example, (wanted,))
    return str(caught.value)


class Shaped(mlflow.pyfunc.PythonModel):
    """Gives the price in another shape."""

    def __init__(self, shape: str) -> None:
        self.shape = shape

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        price = model_input["price"].to_numpy() / 100
        matrix = price.reshape(-1, 1)
        shapes: dict[str, Callable[[], Any]] = {
            "squeezed": matrix.squeeze,
            "list": price.tolist,
            "list of lists": matrix.tolist,
            "series": lambda: pd.Series(price, index=np.arange(len(price)) + 7),
            "nullable series": lambda: pd.Series(price).astype("Float64"),
            "matrix": lambda: matrix,
            "row": lambda: price.reshape(1, -1),
            "frame": lambda: pd.DataFrame({"p": price}),
            "dict of arrays": lambda: {"p": price},
            "dict of squeezed": lambda: {"p": matrix.squeeze()},
            "list of dicts": lambda: [{"p": each} for each in price],
            "probabilities": lambda: np.column_stack([1 - price, price]),
            "probabilities squeezed": lambda: np.column_stack([1 - price, price]).squeeze(),
            "probabilities in dicts": lambda: [{0: 1 - each, 1: each} for each in price],
            "labelled frame": lambda: pd.DataFrame({"label": np.where(price > 0.5, "yes", "no"), "score": price}),
            "labelled dict": lambda: {
                "label": (price > 0.5).astype(int), "probabilities": np.column_stack([1 - price, price]),
            },
            "labels": lambda: np.where(price > 0.5, "yes", "no"),
            "labels in a list": np.where(price > 0.5, "1", "0").tolist,
            "two scores": lambda: pd.DataFrame({"label": "yes", "buy": price, "leave": price / 2}),
            "three classes": lambda: {"kind": price, "probabilities": np.column_stack([price / 2, price, price / 3])},
            "relative": lambda: price / price.sum(),
            "first only": lambda: price[:1],
        }  # fmt: skip
        return shapes[self.shape]()


def shaped(shape: str, folder: Path, rows: int = 3) -> ModelVersion:
    return save(mlflow.pyfunc.save_model, folder, python_model=Shaped(shape), input_example=FEATURES.head(rows),
                signature=infer_signature(FEATURES, [0.5]))  # fmt: skip


@pytest.mark.parametrize("shape", [
    "squeezed", "list", "list of lists", "series", "nullable series", "matrix", "row", "frame", "dict of arrays",
    "dict of squeezed", "list of dicts", "probabilities", "probabilities squeezed", "probabilities in dicts",
    "labelled frame", "labelled dict",
])  # fmt: skip
@pytest.mark.parametrize("examples", [1, 3])
def test_click_has_the_same_score_alone_and_in_company_whatever_the_shape(
    shape: str, examples: int, tmp_path: Path
) -> None:
    rows = FEATURES.head(20)
    assert np.allclose(scores(shaped(shape, tmp_path, examples), rows), rows["price"] / 100)


@pytest.mark.parametrize("shape", ["labels", "labels in a list"])
def test_labels_are_refused_with_how_to_get_a_number(shape: str, tmp_path: Path) -> None:
    text = refusal(shaped(shape, tmp_path))
    assert "the model predicts text, such as " in text
    assert "pyfunc_predict_fn='predict_proba'" in text


@pytest.mark.parametrize(("shape", "listed", "line", "wanted", "factor"), [
    ("two scores", "label (text), buy, leave", 'outputs: {score: "leave"}', "leave", 0.5),
    ("three classes", "kind, probabilities[0], probabilities[1], probabilities[2]",
     'outputs: {score: "probabilities[2]"}', "probabilities[2]", 1 / 3),
])  # fmt: skip
def test_choice_of_outputs_is_listed_with_the_line_to_write(
    shape: str, listed: str, line: str, wanted: str, factor: float, tmp_path: Path
) -> None:
    version = shaped(shape, tmp_path)
    text = refusal(version)
    assert f"the model predicts {listed}; say in model.outputs which of them is the score" in text
    assert text.endswith(line)
    assert np.allclose(scores(version, FEATURES.head(9), wanted), FEATURES["price"].head(9) / 100 * factor)


def test_output_that_is_text_cannot_be_a_column(tmp_path: Path) -> None:
    assert "output label of the model is text, such as 'yes', not a number" in refusal(
        shaped("two scores", tmp_path), "label"
    )


@pytest.mark.parametrize("examples", [1, 3])
def test_model_whose_score_depends_on_the_chunk_is_refused(examples: int, tmp_path: Path) -> None:
    assert "its score of a click depends on the clicks beside it" in refusal(shaped("relative", tmp_path, examples))


def test_model_that_fails_in_other_company_is_refused(tmp_path: Path) -> None:
    text = refusal(shaped("first only", tmp_path, rows=1))
    assert text.startswith("its answer to one click of its input example, twice gives no score: the model must predict")


def test_categories_of_a_booster_are_looked_up_in_its_own_list(tmp_path: Path) -> None:
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(CODED, LABEL), 10)
    version = save(mlflow.lightgbm.save_model, tmp_path, lgb_model=booster, signature=NAMES,
                   input_example=AS_READ.head(3))  # fmt: skip
    assert version.kind == BOOSTER
    assert (scores(version, AS_READ) == booster.predict(CODED)).all()

    odd = AS_READ.head(4).assign(device=["watch", None, "mobile", ""], level=[1, 7, 2, 3])
    unknown = CODED.head(4).assign(device=pd.Categorical([None, None, "mobile", None], CODED["device"].cat.categories),
                                   level=pd.Categorical([1, None, 2, 3], CODED["level"].cat.categories))  # fmt: skip
    assert (scores(version, odd) == booster.predict(unknown)).all()

    loaded = load_booster(version.folder)
    assert loaded.inputs.field("device").type == pa.string()
    found = loaded.predict(as_inputs(AS_READ, loaded.inputs, "m")).values[:, 0]
    assert (found == booster.predict(CODED)).all()


def test_categories_that_cannot_be_told_are_refused(tmp_path: Path) -> None:
    ordered = CODED.assign(level=pd.Categorical(CODED["level"], ordered=True))
    booster = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(ordered, LABEL), 3)
    version = save(mlflow.lightgbm.save_model, tmp_path, lgb_model=booster, signature=NAMES,
                   input_example=AS_READ.head(3))  # fmt: skip
    with pytest.raises(ModelError, match="trained on 2 categorical columns of pandas, but its file names 1 of them"):
        load(version.kind, version.folder)


def log_lightgbm_classifier(folder: Path) -> ModelVersion:
    model = lightgbm.LGBMClassifier(n_estimators=3, verbosity=-1).fit(CODED, LABEL)
    return save(mlflow.lightgbm.save_model, folder, lgb_model=model, signature=NAMES, input_example=AS_READ.head(3))


def log_xgboost(folder: Path) -> ModelVersion:
    model = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(CODED, LABEL, enable_categorical=True), 3)
    return save(mlflow.xgboost.save_model, folder, xgb_model=model, signature=NAMES, input_example=AS_READ.head(3))


def log_xgboost_classifier(folder: Path) -> ModelVersion:
    model = xgboost.XGBClassifier(n_estimators=3, enable_categorical=True).fit(CODED, LABEL)
    return save(mlflow.xgboost.save_model, folder, xgb_model=model, signature=NAMES, input_example=AS_READ.head(3))


@pytest.mark.parametrize("log", [log_lightgbm_classifier, log_xgboost, log_xgboost_classifier])
def test_other_models_on_categories_are_refused_with_what_to_log(
    log: Callable[[Path], ModelVersion], tmp_path: Path
) -> None:
    text = refusal(log(tmp_path))
    assert "It was trained on categories of pandas" in text
    assert len(text.splitlines()) == 1


@pytest.mark.parametrize("labels", [LABEL, np.where(LABEL, "yes", "no")], ids=["numbers", "texts"])
def test_scikit_learn_pipeline_on_texts_gives_its_probability(labels: Any, tmp_path: Path) -> None:
    texts = pd.DataFrame({"device": DEVICE})
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(texts, labels)
    saved = {"sk_model": pipeline, "input_example": texts.head(3)}
    version = save(mlflow.sklearn.save_model, tmp_path / "proba", **saved, pyfunc_predict_fn="predict_proba",
                   signature=infer_signature(texts, pipeline.predict_proba(texts)))  # fmt: skip
    assert np.allclose(scores(version, texts.head(20)), pipeline.predict_proba(texts.head(20))[:, 1])
    if labels is not LABEL:
        version = save(mlflow.sklearn.save_model, tmp_path / "labels", **saved,
                       signature=infer_signature(texts, pipeline.predict(texts)))  # fmt: skip
        assert "the model predicts text, such as " in refusal(version)


def onnx_classifier(inputs: list[onnx.ValueInfoProto], before: list[onnx.NodeProto], has_zipmap: bool) -> Any:
    """Return what skl2onnx makes of a logistic regression."""
    nodes = [*before, helper.make_node(
        "LinearClassifier", ["x"], ["label", "raw"], domain="ai.onnx.ml", coefficients=[-0.02, 0.1, 0.02, -0.1],
        intercepts=[0.3, -0.3], classlabels_ints=[0, 1], multi_class=0, post_transform="SOFTMAX",
    )]  # fmt: skip
    label = helper.make_tensor_value_info("label", TensorProto.INT64, [None])
    if has_zipmap:
        nodes.append(helper.make_node("ZipMap", ["raw"], ["output_probability"], domain="ai.onnx.ml",
                                      classlabels_int64s=[0, 1]))  # fmt: skip
        of_class = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        probabilities = helper.make_value_info("output_probability", helper.make_sequence_type_proto(of_class))
    else:
        nodes.append(helper.make_node("Identity", ["raw"], ["probabilities"]))
        probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])
    graph = helper.make_graph(nodes, "g", inputs, [label, probabilities])
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=domains, ir_version=9)


def probability(price: Any, quantity: Any) -> Any:
    return 1 / (1 + np.exp(-(0.04 * price - 0.2 * quantity - 0.6)))


@pytest.mark.parametrize("has_zipmap", [True, False])
def test_onnx_classifier_on_a_matrix_gives_its_probability(has_zipmap: bool, tmp_path: Path) -> None:
    matrix = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])
    version = save(mlflow.onnx.save_model, tmp_path, onnx_model=onnx_classifier([matrix], [], has_zipmap),
                   signature=infer_signature(FEATURES, [0.5]), input_example=FEATURES.head(3))  # fmt: skip
    assert version.kind == ONNX
    expected = probability(FEATURES["price"], FEATURES["quantity"])
    assert np.allclose(scores(version, FEATURES), expected, rtol=1e-4)
    by_name = "output_probability[0]" if has_zipmap else "probabilities[0]"
    assert np.allclose(scores(version, FEATURES, by_name), 1 - expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("has_zipmap", [True, False])
def test_onnx_classifier_on_columns_gives_its_probability(has_zipmap: bool, tmp_path: Path) -> None:
    inputs = [helper.make_tensor_value_info("price", TensorProto.FLOAT, [None, 1]),
              helper.make_tensor_value_info("device", TensorProto.STRING, [None, 1])]  # fmt: skip
    encode = helper.make_node("LabelEncoder", ["device"], ["code"], domain="ai.onnx.ml", default_float=9.0,
                              keys_strings=["mobile", "desktop"], values_floats=[1.0, 2.0])  # fmt: skip
    join = helper.make_node("Concat", ["price", "code"], ["x"], axis=1)
    rows = pd.DataFrame({"device": DEVICE, "price": FEATURES["price"]})
    version = save(mlflow.onnx.save_model, tmp_path, onnx_model=onnx_classifier(inputs, [encode, join], has_zipmap),
                   signature=infer_signature(rows, [0.5]), input_example=rows.head(3))  # fmt: skip
    codes = rows["device"].map({"mobile": 1.0, "desktop": 2.0, "tablet": 9.0})
    assert np.allclose(scores(version, rows), probability(rows["price"], codes), rtol=1e-4, atol=1e-6)


class Year(mlflow.pyfunc.PythonModel):
    """Scores a click by its year."""

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        return (model_input["at"].dt.year.fillna(0) / 10_000).to_numpy()


@pytest.mark.parametrize("times", [
    ["2026-03-01T00:00:00", "2026-03-02T00:00:00"], ["2026-03-01T12:00:00.123456", "2026-03-02T00:00:00"],
    ["2026-03-01T12:00:00.123456789", "2026-03-02T00:00:00"], ["2026-03-01T12:00:00.5", None],
])  # fmt: skip
def test_input_example_with_times_is_read(times: list[str | None], tmp_path: Path) -> None:
    rows = pd.DataFrame({"at": pd.to_datetime(pd.Series(times), format="ISO8601")})
    version = save(mlflow.pyfunc.save_model, tmp_path, python_model=Year(), input_example=rows,
                   signature=infer_signature(rows, [0.5]))  # fmt: skip
    assert version.example is not None
    assert pd.DataFrame({"at": version.example.field("at").to_pandas().dt.tz_localize(None)}).equals(
        rows.astype("datetime64[ns]")
    )
    assert (scores(version, rows)[:1] == [0.2026]).all()


@pytest.mark.parametrize("example", [
    FEATURES.head(2), FEATURES.head(2).to_dict("list"), FEATURES.head(2).to_dict("records"),
    FEATURES.head(2).to_dict("records")[0],
], ids=["frame", "lists", "rows", "row"])  # fmt: skip
def test_input_example_is_tried_in_whatever_form_it_was_given(example: Any, tmp_path: Path) -> None:
    version = save(mlflow.pyfunc.save_model, tmp_path, python_model=Shaped("labels"), input_example=example,
                   signature=infer_signature(FEATURES, ["yes"]))  # fmt: skip
    assert version.example is not None
    assert version.example.to_pylist()[0] == FEATURES.to_dict("records")[0]
    assert "the model predicts text" in refusal(version)
