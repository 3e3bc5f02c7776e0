"""One version of a model: of a registered one with its files, their digest, input example and recorded predictions."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from clickscore.drift.baseline import Baseline
from clickscore.endpoint.client import Connection
from clickscore.errors import ModelError, SignatureError
from clickscore.scoring.models import BOOSTER, BOOSTER_FILE, ONNX, PYFUNC


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model, with its files at hand on the driver; behind an endpoint, with how that is asked.

    Attributes:
        name: the model.
        version: its version.
        run_id: MLflow run that made it.
        digest: SHA-256 of its files; behind an endpoint, of its name and version.
        inputs: what its signature asks for, in its order; NOT NULL fields are required.
        folder: the files on the driver.
        kind: how it is fed: ``BOOSTER``, ``ONNX``, ``PYFUNC``, or over HTTP.
        is_pinned: whether the registry says which digest the files must have.
        example: some inputs that it can score, if it was logged with such.
        answers: what it answered to the example when it was registered, if that was kept.
        metrics: what its run says of it.
        connection: how its endpoint is asked, if it is behind one.
        baseline: how its score and its features were distributed where it was made, if that was kept.
        baseline_problem: why a baseline that was kept cannot be used.
    """

    name: str
    version: str
    run_id: str | None
    digest: str
    inputs: pa.Schema
    folder: Path
    kind: str
    is_pinned: bool = False
    example: pa.StructArray | None = field(default=None, compare=False, repr=False)
    answers: tuple[float, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict, compare=False)
    connection: Connection | None = None
    baseline: Baseline | None = field(default=None, compare=False, repr=False)
    baseline_problem: str | None = None

    @property
    def label(self) -> str:
        """The version as messages name it."""
        return f"{self.name} version {self.version}"

    @property
    def key(self) -> tuple[str, str]:
        """Name and version."""
        return self.name, self.version

    @property
    def is_remote(self) -> bool:
        """Whether it is behind an endpoint, which answers with one version and brings no other one back."""
        return self.connection is not None

    @property
    def doubts(self) -> list[str]:
        """What a person should know before it scores."""
        doubts = []
        if not self.is_pinned:
            doubts.append(
                f"{self.label} has no digest in the registry, so changes to its files cannot be detected; "
                f"jobs/promote_model.py --pin models:/{self.name}/{self.version} records it"
            )
        if self.example is None and self.kind != BOOSTER:
            doubts.append(f"{self.label} was not tried: it was logged without an input example")
        if self.baseline_problem:
            doubts.append(
                f"drift of {self.label} cannot be measured, its baseline is not usable: {self.baseline_problem}"
            )
        return doubts

    @property
    def has_required_inputs(self) -> bool:
        """Whether a click can lack a feature that this version cannot do without."""
        return any(not field.nullable for field in self.inputs)


def read_version(
    model: Any, folder: Path, name: str, version: str, digest: str, run_id: str | None, tags: dict[str, str],
    metrics: Callable[[str], dict[str, float]],
) -> ModelVersion:  # fmt: skip
    """Return the version whose files are in a folder.

    Args:
        model: MLflow's description of it, ``mlflow.models.Model``.
        folder: its files.
        name: registered model.
        version: its version.
        digest: SHA-256 of the files.
        run_id: run that made it.
        tags: what the registry keeps about it.
        metrics: finds the metrics of a run.

    Raises:
        SignatureError: if the model has no signature of named columns.
    """
    label = f"{name} version {version}"
    if model.signature is None or model.signature.inputs is None or not model.signature.inputs.has_input_names():
        raise SignatureError(
            f"{label} has no signature of named columns, so its features are unknown. "
            f"Log it again with signature=mlflow.models.infer_signature(features, scores)."
        )
    inputs = _inputs(model.signature.inputs, label)
    run_id = run_id or model.run_id
    return ModelVersion(
        name=name,
        version=version,
        run_id=run_id,
        digest=digest,
        inputs=inputs,
        folder=folder,
        kind=_kind(model.flavors, inputs, folder),
        is_pinned=DIGEST_TAG in tags,
        example=_example(model, folder, inputs, label),
        answers=tuple(json.loads(tags.get(ANSWERS_TAG, "[]"))),
        metrics=metrics(run_id) if run_id else {},
    )


DIGEST_TAG = "clickscore.digest"
ANSWERS_TAG = "clickscore.answers"
"""Tags of a version: SHA-256 of its files, and the scores that it gave to its input example, as JSON."""


_ARROW = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "datetime": pa.timestamp("ns", tz="UTC"),
}
"""Types of columns in MLflow's signatures; its times are those of NumPy in nanoseconds, of the years 1678 to 2261."""
_NEVER_NULL = (pa.bool_(), pa.int32(), pa.int64(), pa.binary())


def _inputs(schema: Any, label: str) -> pa.Schema:
    fields = []
    for column in schema.inputs:
        try:
            data_type = _ARROW[column.type.name]
        except (AttributeError, KeyError):
            raise SignatureError(
                f"{label}: input {column.name} is {column.type}; only plain columns are supported"
            ) from None
        # Pandas has no whole number or boolean that is absent: one null would turn the column into another type.
        can_be_null = data_type not in _NEVER_NULL
        fields.append(pa.field(column.name, data_type, can_be_null and not column.required))
    return pa.schema(fields)


def _example(model: Any, folder: Path, inputs: pa.Schema, label: str) -> pa.StructArray | None:
    try:
        example = _read_example(model, folder)
    except Exception as error:  # the file is part of the model, and may hold anything
        raise ModelError(f"{label}: its input example cannot be read: {error}") from None
    frame = as_frame(example, inputs.names)
    return None if frame is None else as_inputs(frame, inputs, label)


def as_frame(example: Any, names: list[str]) -> pd.DataFrame | None:
    """Return an input example as rows; None if it is not rows of these columns."""
    if isinstance(example, pd.DataFrame):
        return example
    if isinstance(example, dict) and set(names) <= set(example):  # one row, or a list for each column
        return pd.DataFrame({name: np.atleast_1d(example[name]) for name in names})
    if isinstance(example, list) and example and all(isinstance(row, dict) for row in example):
        return pd.DataFrame(example)
    return None


def _read_example(model: Any, folder: Path) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return model.load_input_example(str(folder))
    except MlflowException:
        # MLflow expects all times of a column to be written alike, but writes some with a fraction and some without.
        file = folder / (model.saved_input_example_info or {}).get("artifact_path", "")
        content = json.loads(file.read_text(encoding="utf-8"))
        return pd.DataFrame(content["data"], columns=content["columns"])


def as_inputs(frame: pd.DataFrame, inputs: pa.Schema, label: str) -> pa.StructArray:
    """Return rows of pandas as the inputs of a model.

    Raises:
        SignatureError: if a column is missing or does not fit.
    """
    try:
        arrays = [pa.array(_column(frame, field), field.type, from_pandas=True) for field in inputs]
    except (KeyError, ValueError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SignatureError(f"{label}: its input example does not fit its signature: {error}") from None
    return pa.StructArray.from_arrays(arrays, inputs.names)


def _column(frame: pd.DataFrame, field: pa.Field) -> Any:
    is_written = pa.types.is_timestamp(field.type) and pd.api.types.is_object_dtype(frame[field.name])
    return pd.to_datetime(frame[field.name], format="ISO8601", utc=True) if is_written else frame[field.name]


def _kind(flavors: dict[str, Any], inputs: pa.Schema, folder: Path) -> str:
    loader = flavors.get("python_function", {}).get("loader_module")
    if loader == "mlflow.lightgbm" and _is_plain_booster(flavors["lightgbm"], folder):
        return BOOSTER
    if loader == "mlflow.onnx" and not any(pa.types.is_timestamp(field.type) for field in inputs):
        return ONNX
    return PYFUNC


def _is_plain_booster(flavor: dict[str, Any], folder: Path) -> bool:
    return bool(
        flavor.get("data") == BOOSTER_FILE
        and flavor.get("model_class", "lightgbm.basic.Booster") == "lightgbm.basic.Booster"
        and (folder / BOOSTER_FILE).is_file()
    )
