"""The model at work in a Python worker: loaded once for each version, fed in the form it likes best.

Everything here runs on the executors, and on the driver only in tests. MLflow and the libraries of the models are
imported where a model needs them: a worker that serves a LightGBM Booster never waits for MLflow.
"""

import gc
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pyspark import SparkFiles
from pyspark.core.broadcast import Broadcast

from clickscore.errors import ModelError
from clickscore.registry.trust import check_digest, digest
from clickscore.registry.version import BOOSTER, BOOSTER_FILE, ONNX
from clickscore.scoring.isolation import describe
from clickscore.scoring.outputs import Outputs, Pick, as_outputs, pick

Scorer = Callable[[pa.StructArray], Outputs]
"""A loaded model: the inputs of some clicks to its predictions."""


@dataclass(frozen=True)
class Served:
    """A model version as the workers know it.

    Attributes:
        key: tells what the executors have apart; a version that comes back has another one.
        label: the version, for messages.
        digest: SHA-256 of its files.
        kind: how it is fed.
        files: its files as one zip, fetched by an executor when it first needs them.
    """

    key: str
    label: str
    digest: str
    kind: str
    files: "Broadcast[bytes]"


_loaded: dict[str, Scorer] = {}
"""The versions that this worker has in memory, by ``Served.key``."""


def scorer(served: Served) -> Scorer:
    """Return the loaded model; it is loaded once in the life of a worker.

    Raises:
        UntrustedModelError: if the files are not those that were registered; nothing of them is loaded then.
    """
    if served.key not in _loaded:
        folder = _unpacked(served)
        check_digest(folder, served.digest, served.label)
        _loaded[served.key] = load(served.kind, folder)
        _spare_what_stays()
    return _loaded[served.key]


def answer(score: Scorer, example: pa.StructArray, picks: tuple[Pick, ...]) -> Outputs:
    """Let a loaded model score its input example.

    Raises:
        ModelError: if it fails, lacks an output that becomes a column, or gives no finite number for one.
    """
    try:
        outputs = score(example)
        is_fit = np.isfinite(pick(outputs, picks)).all()
    except Exception as error:  # whatever it raises on its own example, it would raise on clicks
        raise ModelError(f"it fails on its input example: {describe(error)}") from None
    if not is_fit:
        raise ModelError("it answers its input example with a score that is no finite number")
    return outputs


def forget(keys: Iterable[str]) -> None:
    """Let go of versions that no micro-batch will ask for any more, in memory and on the executor's disk."""
    before = len(_loaded)
    for old in keys:
        _loaded.pop(old, None)
        shutil.rmtree(_folder(old), ignore_errors=True)
    if len(_loaded) < before:
        _spare_what_stays()


def _spare_what_stays() -> None:
    """Take all that is in memory now, less the garbage, out of the collections that Spark makes after every task.

    With LightGBM or MLflow there are some 100,000 objects to look at, which costs more than a small task.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _folder(key: str) -> Path:
    # The executor's own folder, which its workers share; it goes with the executor, or with the application.
    return Path(SparkFiles.getRootDirectory(), f"clickscore-model-{key}")


def _unpacked(served: Served) -> Path:
    """Return a folder with the version's files: that of the executor, or an own one if somebody has changed that."""
    folder = _folder(served.key)
    if folder.is_dir() and digest(folder) == served.digest:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=folder.parent))
    with zipfile.ZipFile(BytesIO(served.files.value)) as archive:
        archive.extractall(aside)
    try:
        aside.rename(folder)
    except OSError:  # it is there: another worker of this executor was faster, or it was changed
        if digest(folder) != served.digest:
            return aside
        shutil.rmtree(aside)
    return folder


def load(kind: str, folder: Path) -> Scorer:
    """Load a model from its folder, which must have been judged before."""
    return {BOOSTER: _load_booster, ONNX: _load_onnx}.get(kind, _load_pyfunc)(folder)


def _load_booster(folder: Path) -> Scorer:
    import lightgbm

    booster = lightgbm.Booster(model_file=folder / BOOSTER_FILE)

    def score(inputs: pa.StructArray) -> Outputs:
        table = pa.Table.from_arrays(inputs.flatten(), names=[field.name for field in inputs.type])
        return as_outputs(booster.predict(table, num_threads=1), len(inputs))

    return score


def _load_onnx(folder: Path) -> Scorer:
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

    def score(inputs: pa.StructArray) -> Outputs:
        columns = [column.to_numpy(zero_copy_only=False) for column in inputs.flatten()]
        [values] = session.run(None, {name: np.column_stack(columns).astype(data_type)})
        outputs = as_outputs(values, len(inputs))
        return Outputs(outputs.values, (output,)) if outputs.values.shape[1] == 1 else outputs

    return score


_ONNX_TYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(double)": np.float64}


def _load_pyfunc(folder: Path) -> Scorer:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(folder))

    def score(inputs: pa.StructArray) -> Outputs:
        return as_outputs(model.predict(as_frame(inputs)), len(inputs))

    return score


def as_frame(inputs: pa.StructArray) -> pd.DataFrame:
    """Return the inputs as pyfunc wants them: nulls of numbers are NaN, times are in UTC without a zone."""
    table = pa.Table.from_arrays(inputs.flatten(), names=[field.name for field in inputs.type])
    frame: pd.DataFrame = table.to_pandas()
    for field in inputs.type:
        if pa.types.is_timestamp(field.type):
            frame[field.name] = frame[field.name].dt.tz_localize(None).astype("datetime64[ns]")
    return frame
