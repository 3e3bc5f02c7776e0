"""The model registry: versions are found by alias, fetched with a digest of their files, and registered.

MLflow is imported where it is used: that takes seconds, which the start of the session hides.
"""

import json
import os
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clickscore.errors import ClickscoreError, ModelError, ModelNotFoundError, ModelUnavailableError, first_line
from clickscore.learners import Learner
from clickscore.model_config import PICKLE, Allow, Model, split_uri
from clickscore.trust import MLMODEL, check_digest, check_files, digest
from clickscore.version import ANSWERS_TAG, DIGEST_TAG, ModelVersion, read_version

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SQLITE = "sqlite:///"
MAX_RETRIES = 3
"""Times that a request to the registry is tried again, after 2, 4 and 8 s; MLflow's own 7 would take four minutes."""


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
        # Between the lines of the micro-batches, bars of downloads would only be in the way.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
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
            ModelUnavailableError: if the registry does not answer.
        """
        from mlflow.exceptions import MlflowException

        name, alias, version = split_uri(uri)
        try:
            if alias:
                return name, str(self._client.get_model_version_by_alias(name, alias).version)
            return name, str(self._client.get_model_version(name, version).version)
        except MlflowException as error:
            raise self._not_found(uri, name, error) from None

    def fetch(self, name: str, version: str, folder: Path, allow: Allow, trusts_pickle: bool = False) -> ModelVersion:
        """Copy the files of a version into a folder below ``folder``; nothing of it is loaded.

        Args:
            name: registered model.
            version: its version.
            folder: where the files go.
            allow: what a model may be made of.
            trusts_pickle: whether models that run code when they are loaded are taken.

        Raises:
            ModelUnavailableError: if the files cannot be fetched.
            UntrustedModelError: if they are not those that were registered, or loading them could run code.
            SignatureError: if the model has no signature of named columns.
        """
        from mlflow.exceptions import MlflowException
        from mlflow.models import Model as Description

        label = f"{name} version {version}"
        target = folder / f"{name}-{version}"
        try:
            registered = self._client.get_model_version(name, version)
            self._download(name, version, target)
            found = digest(target)
            if DIGEST_TAG in registered.tags:
                check_digest(target, registered.tags[DIGEST_TAG], label)
            check_files(target, allow, trusts_pickle, label)
            description = Description.load(str(target))
        except (MlflowException, OSError) as error:
            shutil.rmtree(target, ignore_errors=True)
            raise ModelUnavailableError(
                redacted(f"{label} is registered, but its files cannot be fetched: {error}")
            ) from None
        return read_version(
            description, target, name, version, found, registered.run_id, registered.tags, self._metrics
        )

    def _download(self, name: str, version: str, target: Path) -> None:
        import mlflow

        self._select()
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{name}/{version}", dst_path=str(target))
        if not (target / MLMODEL).is_file():  # MLflow takes an empty place for a model without files
            raise FileNotFoundError(f"there is no {MLMODEL} where the registry says that it is")

    def _metrics(self, run_id: str) -> dict[str, float]:
        from mlflow.exceptions import MlflowException

        try:
            return dict(self._client.get_run(run_id).data.metrics)
        except MlflowException:
            return {}  # The run was deleted; the model does not need it.

    def pin(self, name: str, version: str, answers: list[float]) -> str:
        """Write down what the version is: the digest of its files, and its answers to its input example.

        Returns:
            The digest.
        """
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "model")
            self._download(name, version, target)
            found = digest(target)
        self._client.set_model_version_tag(name, version, DIGEST_TAG, found)
        self._client.set_model_version_tag(name, version, ANSWERS_TAG, json.dumps(answers))
        return found

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Let the alias point to the version."""
        self._client.set_registered_model_alias(name, alias, version)

    def has_alias(self, name: str, alias: str) -> bool:
        """Tell whether a registered model has the alias."""
        from mlflow.exceptions import MlflowException

        try:
            return alias in self._client.get_registered_model(name).aliases
        except MlflowException:
            return False

    def register(
        self, fitted: Any, learner: Learner, name: str, alias: str, example: "pd.DataFrame",
        parameters: dict[str, Any], metrics: dict[str, float], figures: dict[str, "Figure"],
    ) -> tuple[str, bool]:  # fmt: skip
        """Log a model with its evidence, register it and pin what it is; the first to come gets the alias.

        Returns:
            The version, and whether it has got the alias.
        """
        import mlflow
        from mlflow.models import infer_signature

        self._select()
        self._select_experiment(name)
        answers = learner.predict(fitted, example)
        # Every feature may be absent in some click, even if none was in the example.
        signature = infer_signature(pd.concat([example, example * np.nan]), answers)
        with mlflow.start_run():
            mlflow.log_params(parameters)
            mlflow.log_metrics(metrics)
            for file, figure in figures.items():
                mlflow.log_figure(figure, f"plots/{file}")
            logged = getattr(mlflow, learner.flavor).log_model(
                **{learner.argument: fitted}, name="model", signature=signature, input_example=example,
                registered_model_name=name,
                pip_requirements=[f"{package}=={metadata.version(package)}" for package in (learner.package, "mlflow")],
            )  # fmt: skip
        version = str(logged.registered_model_version)
        self.pin(name, version, answers.tolist())
        is_first = bool(alias) and not self.has_alias(name, alias)
        if is_first:
            self.set_alias(name, alias, version)
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
                return ModelUnavailableError(redacted(f"model.registry: {self._uri} does not answer: {error}"))
            return ModelNotFoundError(
                f"model.uri: {redacted(self._uri)} has no model {name}; it has {', '.join(names) or 'none'}."
            )
        aliases = ", ".join(f"@{alias} (version {version})" for alias, version in model.aliases.items()) or "none"
        numbers = ", ".join(sorted((str(version.version) for version in versions), key=int)) or "none"
        return ModelNotFoundError(f"model.uri: there is no {uri}. Aliases of {name}: {aliases}; versions: {numbers}.")


def fetch_current(config: Model, folder: Path) -> ModelVersion:
    """Fetch the version that the configuration stands for now.

    Raises:
        ModelError: if there is none, or its registry does not answer.
    """
    try:
        registry = Registry(config.registry)
        return fetch_version(config, *registry.resolve(config.uri), folder, registry)
    except ClickscoreError:
        raise
    except Exception as error:  # a registry is a server, a database or a folder: their errors have no common class
        # Whatever it raises, there is no model: one message and exit status 2, with the cause chained.
        where = f"model: {config.uri} cannot be fetched from {config.registry}"
        raise ModelUnavailableError(redacted(f"{where}: {type(error).__name__}: {first_line(error)}")) from error


def fetch_version(
    config: Model, name: str, version: str, folder: Path, registry: Registry | None = None
) -> ModelVersion:
    """Fetch one version by the rules of the configuration; see ``Registry.fetch``."""
    registry = registry or Registry(config.registry)
    return registry.fetch(name, version, folder, config.allow, config.trust == PICKLE)


def redacted(uri: str) -> str:
    """Return a text with every user and password taken out of its URIs."""
    return re.sub(r"//[^/@]*@", "//***@", uri)
