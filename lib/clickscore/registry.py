"""The model registry: versions are found by alias, fetched with a digest of their files, and registered.

MLflow is imported where it is used: that takes seconds, which the start of the session hides.
"""

import hashlib
import os
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pyspark.sql import types as T

from clickscore.errors import ModelError, ModelNotFoundError, SignatureError

if TYPE_CHECKING:
    import lightgbm
    from matplotlib.figure import Figure

SQLITE = "sqlite:///"
MAX_RETRIES = 3
"""Times that a request to the registry is tried again, after 2, 4 and 8 s; MLflow's own 7 would take four minutes."""
_URI = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>.+)|/(?P<version>\d+))")


@dataclass(frozen=True)
class ModelVersion:
    """One version of a registered model, with its files at hand on the driver.

    Attributes:
        name: registered model.
        version: its version.
        run_id: MLflow run that made it.
        digest: SHA-256 over the names and contents of its files.
        inputs: what its signature asks for, in its order; NOT NULL fields are required.
        folder: the files on the driver.
        is_booster: whether a LightGBM Booster can be fed without pandas.
    """

    name: str
    version: str
    run_id: str | None
    digest: str
    inputs: T.StructType
    folder: Path
    is_booster: bool

    @property
    def archive(self) -> str:
        """Name under which the executors get the files."""
        return f"model-{self.digest[:16]}.zip"


class Registry:
    """An MLflow model registry."""

    def __init__(self, uri: str, create: bool = False) -> None:
        """Connect.

        Args:
            uri: tracking server and registry.
            create: whether a database file may be made.

        Raises:
            ModelNotFoundError: if the registry is a database file that does not exist.
        """
        from mlflow import MlflowClient

        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(MAX_RETRIES))
        file = uri.removeprefix(SQLITE)
        if file != uri and create:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        elif file != uri and not Path(file).is_file():
            raise ModelNotFoundError(
                f"model.registry: no such file: {file}. Train a model first: jobs/train_model.py --config ..."
            )
        self._uri = uri
        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def resolve(self, uri: str) -> tuple[str, str]:
        """Return name and version that ``models:/<name>@<alias>`` or ``models:/<name>/<version>`` stands for now.

        Raises:
            ModelNotFoundError: if there is no such model, alias or version; tells which there are.
            ModelError: if the registry does not answer.
        """
        from mlflow.exceptions import MlflowException

        match = _URI.fullmatch(uri)
        if not match:
            raise ModelNotFoundError(f"model.uri: {uri} is neither models:/<name>@<alias> nor models:/<name>/<version>")
        name = match["name"]
        try:
            if match["alias"]:
                return name, str(self._client.get_model_version_by_alias(name, match["alias"]).version)
            return name, str(self._client.get_model_version(name, match["version"]).version)
        except MlflowException as error:
            raise self._not_found(uri, name, error) from None

    def fetch(self, name: str, version: str, folder: Path) -> ModelVersion:
        """Copy the files of a version into a folder below ``folder`` and read its signature.

        Raises:
            ModelError: if the files cannot be fetched.
            SignatureError: if the model has no signature of named columns.
        """
        import mlflow
        from mlflow.exceptions import MlflowException
        from mlflow.models import Model

        self._select()
        label = f"{name} version {version}"
        target = folder / f"{name}-{version}"
        target.mkdir(parents=True, exist_ok=True)
        try:
            mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{name}/{version}", dst_path=str(target))
            model = Model.load(str(target))
        except (MlflowException, OSError) as error:
            raise ModelError(redacted(f"{label} is registered, but its files cannot be fetched: {error}")) from None
        if model.signature is None or model.signature.inputs is None or not model.signature.inputs.has_input_names():
            raise SignatureError(
                f"{label} has no signature of named columns, so nobody can tell which features it needs. "
                f"Log it again with signature=mlflow.models.infer_signature(features, scores)."
            )
        return ModelVersion(
            name=name,
            version=version,
            run_id=self._client.get_model_version(name, version).run_id or model.run_id,
            digest=_digest(target),
            inputs=_inputs(model.signature.inputs, label),
            folder=target,
            is_booster=_is_plain_booster(model.flavors, target),
        )

    def has_alias(self, name: str, alias: str) -> bool:
        """Tell whether a registered model has the alias."""
        from mlflow.exceptions import MlflowException

        try:
            return alias in self._client.get_registered_model(name).aliases
        except MlflowException:
            return False

    def register(
        self, booster: "lightgbm.Booster", name: str, alias: str, example: "pd.DataFrame", parameters: dict[str, Any],
        metrics: dict[str, float], figures: dict[str, "Figure"],
    ) -> tuple[str, bool]:  # fmt: skip
        """Log a model with its evidence and register it; the first to come gets the alias.

        Returns:
            The version, and whether it has got the alias.
        """
        import mlflow
        from mlflow.models import infer_signature

        self._select()
        self._select_experiment(name)
        # Every feature may be absent in some click, even if none was in the example.
        signature = infer_signature(pd.concat([example, example * np.nan]), np.asarray(booster.predict(example)))
        with mlflow.start_run():
            mlflow.log_params(parameters)
            mlflow.log_metrics(metrics)
            for file, figure in figures.items():
                mlflow.log_figure(figure, f"plots/{file}")
            logged = mlflow.lightgbm.log_model(
                booster, name="model", signature=signature, input_example=example, registered_model_name=name,
                pip_requirements=[f"{package}=={metadata.version(package)}" for package in ("lightgbm", "mlflow")],
            )  # fmt: skip
        version = str(logged.registered_model_version)
        is_first = bool(alias) and not self.has_alias(name, alias)
        if is_first:
            self._client.set_registered_model_alias(name, alias, version)
        return version, is_first

    def _select(self) -> None:
        import mlflow

        mlflow.set_tracking_uri(self._uri)
        mlflow.set_registry_uri(self._uri)

    def _select_experiment(self, name: str) -> None:
        import mlflow

        if mlflow.get_experiment_by_name(name) is None:
            # MLflow would put the artifacts of a local database into ./mlruns, wherever the job was started.
            file = self._uri.removeprefix(SQLITE)
            beside = Path(file).resolve().parent / "mlflow-artifacts"
            mlflow.create_experiment(name, artifact_location=beside.as_uri() if file != self._uri else None)
        mlflow.set_experiment(name)

    def _not_found(self, uri: str, name: str, error: Exception) -> ModelError:
        from mlflow.exceptions import MlflowException

        try:
            model = self._client.get_registered_model(name)
            versions = self._client.search_model_versions(f"name = '{name}'")
        except MlflowException:
            try:
                names = [other.name for other in self._client.search_registered_models()]
            except MlflowException:
                return ModelError(redacted(f"model.registry: {self._uri} does not answer: {error}"))
            return ModelNotFoundError(
                f"model.uri: {redacted(self._uri)} has no model {name}; it has {', '.join(names) or 'none'}."
            )
        aliases = ", ".join(f"@{alias} (version {version})" for alias, version in model.aliases.items()) or "none"
        numbers = ", ".join(sorted((str(version.version) for version in versions), key=int)) or "none"
        return ModelNotFoundError(f"model.uri: there is no {uri}. Aliases of {name}: {aliases}; versions: {numbers}.")


def redacted(uri: str) -> str:
    """Return a text with every user and password taken out of its URIs."""
    return re.sub(r"//[^/@]*@", "//***@", uri)


def _inputs(schema: Any, label: str) -> T.StructType:
    fields = []
    for column in schema.inputs:
        try:
            data_type = column.type.to_spark()
        except AttributeError:
            raise SignatureError(
                f"{label}: input {column.name} is {column.type}; only plain columns are supported"
            ) from None
        # Pandas has no whole number or boolean that is absent: one null would turn the column into another type.
        can_be_null = isinstance(data_type, T.DoubleType | T.FloatType | T.StringType | T.TimestampType)
        fields.append(T.StructField(column.name, data_type, can_be_null and not column.required))
    return T.StructType(fields)


def _is_plain_booster(flavors: dict[str, Any], folder: Path) -> bool:
    file = folder / "model.lgb"
    if "lightgbm" not in flavors or not file.is_file():
        return False
    # The last line lists the categories of pandas columns, which only the pandas path knows how to look up.
    last_line = file.read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
    return last_line in ("pandas_categorical:null", "pandas_categorical:[]")


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()
