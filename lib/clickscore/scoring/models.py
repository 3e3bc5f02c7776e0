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

from clickscore.errors import ModelError
from clickscore.scoring.isolation import Tolerance, describe
from clickscore.scoring.outputs import Outputs, Pick, as_outputs, pick

if TYPE_CHECKING:
    import pandas as pd

BOOSTER_FILE = "model.lgb"
BOOSTER, ONNX, PYFUNC = "lightgbm", "onnx", "pyfunc"
"""How a model is fed: Arrow to a LightGBM Booster, one array to an ONNX session, pandas to anything else."""

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
    """Let a model predict its input example.

    Raises:
        ModelError: if it fails, lacks an output that becomes a column, or gives no finite number for one.
    """
    try:
        outputs = predict(example)
        is_fit = np.isfinite(pick(outputs, picks)).all()
    except Exception as error:  # whatever it raises on its own example, it would raise on clicks
        raise ModelError(f"it fails on its input example: {describe(error)}") from None
    if not is_fit:
        raise ModelError("it answers its input example with a score that is not a finite number")
    return outputs


def load(kind: str, folder: Path) -> Predict:
    """Load a model from its folder, whose files must have been checked before."""
    return {BOOSTER: _load_booster, ONNX: _load_onnx}.get(kind, _load_pyfunc)(folder)


def load_booster(folder: Path) -> LoadedModel:
    """Load a LightGBM Booster from the folder that MLflow has logged it into; needs no MLflow.

    Its inputs are the features that it was trained on, each ``DOUBLE``, and may be null.
    """
    import lightgbm

    booster = lightgbm.Booster(model_file=folder / BOOSTER_FILE)
    inputs = pa.schema([(name, pa.float64()) for name in booster.feature_name()])
    return LoadedModel(inputs, _booster_predict(booster), {"score": None})


def _load_booster(folder: Path) -> Predict:
    import lightgbm

    return _booster_predict(lightgbm.Booster(model_file=folder / BOOSTER_FILE))


def _booster_predict(booster: Any) -> Predict:
    def predict(inputs: pa.StructArray) -> Outputs:
        columns = inputs.flatten()
        if len(inputs) == 1:  # taking an Arrow table apart costs four times as much as predicting one click
            rows: Any = np.array([[np.nan if (value := c[0].as_py()) is None else value for c in columns]], np.float64)
        else:
            rows = pa.Table.from_arrays(columns, names=[field.name for field in inputs.type])
        return as_outputs(booster.predict(rows, num_threads=1), len(inputs))

    return predict


def _load_onnx(folder: Path) -> Predict:
    import onnxruntime
    from mlflow.models import Model

    file = folder / Model.load(str(folder)).flavors["onnx"]["data"]
    options = onnxruntime.SessionOptions()
    # MLflow's own session would take all cores, for each worker.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    wanted = session.get_inputs()
    if len(wanted) != 1 or wanted[0].type not in _ONNX_TYPES or len(session.get_outputs()) != 1:
        return _load_pyfunc(folder)
    output = session.get_outputs()[0].name
    name, data_type = wanted[0].name, _ONNX_TYPES[wanted[0].type]

    def predict(inputs: pa.StructArray) -> Outputs:
        columns = [column.to_numpy(zero_copy_only=False) for column in inputs.flatten()]
        [values] = session.run(None, {name: np.column_stack(columns).astype(data_type)})
        outputs = as_outputs(values, len(inputs))
        return Outputs(outputs.values, (output,)) if outputs.values.shape[1] == 1 else outputs

    return predict


_ONNX_TYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(double)": np.float64}


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
            frame[field.name] = frame[field.name].dt.tz_localize(None).astype("datetime64[ns]")
    return frame
