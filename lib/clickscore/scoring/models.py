"""Models in memory: loaded from their folder, and fed in the format that they read fastest.

MLflow and the libraries of the models are imported where a model needs them: whoever scores with a LightGBM Booster
waits for neither MLflow nor pandas.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from clickscore.errors import ModelError, ModelUnavailableError
from clickscore.scoring.categories import Categories, CategoryError, as_numbers, read_categories
from clickscore.scoring.isolation import Tolerance, describe
from clickscore.scoring.onnx_models import load_onnx
from clickscore.scoring.outputs import Floats, OutputError, Outputs, Pick, as_outputs, pick

if TYPE_CHECKING:
    import pandas as pd

BOOSTER_FILE = "model.lgb"
BOOSTER, ONNX, PYFUNC = "lightgbm", "onnx", "pyfunc"
"""How a model is fed: Arrow to a LightGBM Booster, arrays to an ONNX session, pandas to anything else."""

COMPANY_TOLERANCE = 1e-3
"""Relative difference of two scores of a click, alone and among others, that is put down to the order of sums."""

BOUNDLESS = Tolerance(time_limit_s=10, count=inf)
"""A model may fail on as many clicks as it likes; each of them is rejected."""

Predict = Callable[[pa.StructArray], Outputs]
"""A model in memory: the inputs of some clicks to its predictions."""


@dataclass(frozen=True)
class LoadedModel:
    """A model in memory, with what it asks for and what its scores are.

    Attributes:
        inputs: what its signature asks for, in its order; NOT NULL fields are required.
        predict: inputs to predictions.
        outputs: score column to the output of the model that goes into it, ``score`` first; None is the only output
            there is, or the second of two class probabilities.
        tolerance: how much it may fail before the scorer gives up.
    """

    inputs: pa.Schema
    predict: Predict
    outputs: Mapping[str, Pick]
    tolerance: Tolerance = BOUNDLESS


def answer(predict: Predict, example: pa.StructArray, picks: tuple[Pick, ...]) -> Outputs:
    """Let a model predict its input example, and a click of it in other company.

    Raises:
        ModelError: if it fails, lacks an output that becomes a column, gives no finite number for one, or scores a
            click alone otherwise than among others.
        ModelUnavailableError: if it cannot be asked now.
    """
    outputs, values = _tried(predict, example, picks, "its input example")
    if len(example):
        is_alone = len(example) == 1
        other = pa.concat_arrays([example, example]) if is_alone else example.slice(0, 1)
        company = "one click of its input example, twice" if is_alone else "one click of its input example alone"
        _, found = _tried(predict, other, picks, company)
        if not np.allclose(found, values[:1], rtol=COMPANY_TOLERANCE, atol=COMPANY_TOLERANCE**2):
            raise ModelError(
                f"its score of a click depends on the clicks beside it: {values[0].tolist()} in its input example, "
                f"{found[0].tolist()} for {company}. Log a model that scores each row independently"
            )
    return outputs


def _tried(predict: Predict, inputs: pa.StructArray, picks: tuple[Pick, ...], what: str) -> tuple[Outputs, Floats]:
    try:
        outputs = predict(inputs)
        values = pick(outputs, picks)
    except OutputError as error:
        raise ModelError(f"its answer to {what} gives no score: {error}") from None
    except ModelUnavailableError:
        raise
    except Exception as error:  # whatever it raises on its own example, it would raise on clicks
        cause = " ".join(describe(error).split())  # of what a worker raises, the driver keeps one line
        raise ModelError(f"it fails on {what}: {cause}{_hint(cause)}") from None
    if not np.isfinite(values).all():
        raise ModelError(f"it answers {what} with a score that is not a finite number")
    return outputs, values


def _hint(cause: str) -> str:
    is_of_categories = "categorical_feature do not match" in cause or "enable_categorical" in cause
    return (
        ". It was trained on categories of pandas, which no signature knows. Log the Booster itself with "
        "mlflow.lightgbm.log_model, whose categories are looked up; with another library, a pipeline that encodes texts"
        if is_of_categories
        else ""
    )


def load(kind: str, folder: Path) -> Predict:
    """Load a model from its folder, whose files must have been checked before."""
    return {BOOSTER: _load_booster, ONNX: _load_onnx}.get(kind, _load_pyfunc)(folder)


def load_booster(folder: Path) -> LoadedModel:
    """Load a LightGBM Booster from the folder that MLflow has logged it into; needs no MLflow.

    Its inputs are the features that it was trained on, each ``DOUBLE``, or of the type of its categories, and may be
    null.

    Raises:
        ModelError: if there is no Booster, or its categories cannot be told.
    """
    import lightgbm

    try:
        booster = lightgbm.Booster(model_file=folder / BOOSTER_FILE)
    except lightgbm.basic.LightGBMError as error:
        raise ModelError(
            f"{folder} has no Booster of LightGBM: {error}. Name the folder that MLflow has logged it into, in which "
            f"{BOOSTER_FILE} is"
        ) from None
    categories = _categories(folder)
    inputs = pa.schema([
        (name, categories[number].type if number in categories else pa.float64())
        for number, name in enumerate(booster.feature_name())
    ])  # fmt: skip
    return LoadedModel(inputs, _booster_predict(booster, categories), {"score": None})


def _load_booster(folder: Path) -> Predict:
    import lightgbm

    return _booster_predict(lightgbm.Booster(model_file=folder / BOOSTER_FILE), _categories(folder))


def _categories(folder: Path) -> Categories:
    try:
        return read_categories(folder / BOOSTER_FILE)
    except CategoryError as error:
        raise ModelError(str(error)) from None


def _booster_predict(booster: Any, categories: Categories) -> Predict:
    def predict(inputs: pa.StructArray) -> Outputs:
        columns = as_numbers(inputs.flatten(), categories) if categories else inputs.flatten()
        if len(inputs) == 1:  # taking an Arrow table apart costs four times as much as predicting one click
            rows: Any = np.array([[np.nan if (value := c[0].as_py()) is None else value for c in columns]], np.float64)
        else:
            rows = pa.Table.from_arrays(columns, names=[field.name for field in inputs.type])
        return as_outputs(booster.predict(rows, num_threads=1), len(inputs))

    return predict


def _load_onnx(folder: Path) -> Predict:
    from mlflow.models import Model

    model = Model.load(str(folder))
    names = model.signature.inputs.input_names()
    return load_onnx(folder / model.flavors["onnx"]["data"], names) or _load_pyfunc(folder)


def _load_pyfunc(folder: Path) -> Predict:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(folder))

    def predict(inputs: pa.StructArray) -> Outputs:
        return as_outputs(model.predict(as_frame(inputs)), len(inputs))

    return predict


def as_frame(inputs: pa.StructArray) -> "pd.DataFrame":
    """Return the inputs as pyfunc wants them: nulls of numbers are NaN, times are in UTC without a zone."""
    table = pa.Table.from_arrays(inputs.flatten(), names=[field.name for field in inputs.type])
    frame: pd.DataFrame = table.to_pandas()
    for field in inputs.type:
        if pa.types.is_timestamp(field.type):
            frame[field.name] = frame[field.name].dt.tz_localize(None)
    return frame
