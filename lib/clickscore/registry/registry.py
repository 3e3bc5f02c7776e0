"""The model registry: versions are found by alias, fetched with a digest of their files, and pinned.

MLflow is imported where it is used: that takes seconds, which the start of the session hides.
"""

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

from clickscore.config.model import PICKLE, Allow, Model, split_uri
from clickscore.drift.baseline import BaselineError
from clickscore.errors import (
    ModelError,
    ModelNotFoundError,
    ModelUnavailableError,
    UntrustedModelError,
    WiringError,
    gist,
)
from clickscore.registry.baselines import BASELINE_TAG, fetch_baseline
from clickscore.registry.endpoint_version import fetch_endpoint
from clickscore.registry.trust import MLMODEL, check_digest, check_files, digest
from clickscore.registry.version import ANSWERS_TAG, DIGEST_TAG, ModelVersion, read_version
from clickscore.scoring.isolation import describe

SQLITE = "sqlite:///"
UNITY_CATALOG, DATABRICKS = "databricks-uc", "databricks"
"""Registry URIs of Databricks; both may go on with the profile of a workspace, as in ``databricks-uc://profile``."""
MAX_RETRIES = 1
"""Times that MLflow repeats a request in silence, after 2 s, instead of 7 times within four minutes: what takes longer
is for ``retries``, which tells."""
DATABRICKS_RETRY_S = 5
"""For so long, instead of eight minutes, the client of Databricks does the same."""


class Registry:
    """An MLflow model registry.

    Attributes:
        uri: where it is.
        client: MLflow's own client of it.
    """

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
        os.environ.setdefault("MLFLOW_DATABRICKS_ENDPOINT_HTTP_RETRY_TIMEOUT", str(DATABRICKS_RETRY_S))
        # Between the lines of the micro-batches, bars of downloads would only be in the way.
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        file = uri.removeprefix(SQLITE)
        if file != uri and create:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        elif file != uri and not Path(file).is_file():
            raise ModelNotFoundError(
                f"model.registry: no such file: {file}. Train a model first: jobs/train_model.py --config ..."
            )
        self.uri = uri
        self.client = MlflowClient(tracking_uri=tracking_uri(uri), registry_uri=uri)

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
                return name, str(self.client.get_model_version_by_alias(name, alias).version)
            return name, str(self.client.get_model_version(name, version).version)
        except MlflowException as error:
            if not _is_missing(error):
                where = f"model.registry: {self.uri} does not answer"
                raise ModelUnavailableError(redacted(f"{where}: {gist(error)}")) from None
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
            registered = self.client.get_model_version(name, version)
            self.download(name, version, target)
        except (MlflowException, OSError) as error:
            shutil.rmtree(target, ignore_errors=True)
            if _is_missing(error):
                raise ModelNotFoundError(f"{label} is no longer in the registry") from None
            raise ModelUnavailableError(
                redacted(f"{label} is registered, but its files cannot be fetched: {gist(error)}")
            ) from None
        found = digest(target)
        if DIGEST_TAG in registered.tags:
            check_digest(target, registered.tags[DIGEST_TAG], label)
        check_files(target, allow, trusts_pickle, label)
        try:
            description = Description.load(str(target))
            model = read_version(
                description, target, name, version, found, registered.run_id, registered.tags, self._metrics
            )
            return self._with_baseline(model, registered.tags.get(BASELINE_TAG))
        except WiringError:
            raise
        except Exception as error:  # MLflow's parser raises what it meets in a file that anybody may have written
            raise ModelError(f"{label}: its description cannot be read: {describe(error)}") from error

    def download(self, name: str, version: str, target: Path) -> None:
        """Copy the files of a version into a folder of their own."""
        import mlflow

        self.select()
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{name}/{version}", dst_path=str(target))
        if not (target / MLMODEL).is_file():  # MLflow takes an empty place for a model without files
            raise FileNotFoundError(f"there is no {MLMODEL} where the registry says that it is")

    def _metrics(self, run_id: str) -> dict[str, float]:
        from mlflow.exceptions import MlflowException

        try:
            return dict(self.client.get_run(run_id).data.metrics)
        except MlflowException:
            return {}  # The run was deleted; the model does not need it.

    def _with_baseline(self, model: ModelVersion, digest: str | None) -> ModelVersion:
        if digest is None:
            return model
        try:
            return replace(model, baseline=fetch_baseline(self.client, model.run_id, digest, model.inputs))
        except BaselineError as error:  # a version scores without its baseline as well as with it
            return replace(model, baseline_problem=redacted(str(error)))

    def pin(self, name: str, version: str, digest: str, answers: list[float]) -> None:
        """Write down what the version is: the digest of its files, and its answers to its input example."""
        self.client.set_model_version_tag(name, version, DIGEST_TAG, digest)
        self.client.set_model_version_tag(name, version, ANSWERS_TAG, json.dumps(answers))

    def set_alias(self, name: str, alias: str, version: str) -> None:
        """Let the alias point to the version."""
        self.client.set_registered_model_alias(name, alias, version)

    def has_alias(self, name: str, alias: str) -> bool:
        """Tell whether a registered model has the alias."""
        from mlflow.exceptions import MlflowException

        try:
            return alias in self.client.get_registered_model(name).aliases
        except MlflowException:
            return False

    def select(self) -> None:
        """Let MLflow's own functions talk to this registry."""
        import mlflow

        mlflow.set_tracking_uri(tracking_uri(self.uri))
        mlflow.set_registry_uri(self.uri)

    def _not_found(self, uri: str, name: str, error: Exception) -> ModelError:
        from mlflow.exceptions import MlflowException

        try:
            model = self.client.get_registered_model(name)
            versions = self.client.search_model_versions(f"name = '{name}'")
        except MlflowException:
            try:
                names = [other.name for other in self.client.search_registered_models()]
            except MlflowException:
                return ModelUnavailableError(redacted(f"model.registry: {self.uri} does not answer: {error}"))
            return ModelNotFoundError(
                f"model.uri: {redacted(self.uri)} has no model {name}; it has {', '.join(names) or 'none'}."
            )
        aliases = ", ".join(f"@{alias} (version {version})" for alias, version in model.aliases.items()) or "none"
        numbers = ", ".join(sorted((str(version.version) for version in versions), key=int)) or "none"
        return ModelNotFoundError(f"model.uri: there is no {uri}. Aliases of {name}: {aliases}; versions: {numbers}.")


def fetch_current(config: Model, folder: Path) -> ModelVersion:
    """Fetch the version that the configuration stands for now; an endpoint is asked for its own.

    Raises:
        ModelError: if there is none, or its registry does not answer.
    """
    if config.endpoint:
        return fetch_endpoint(config, folder)
    try:
        registry = Registry(config.registry)
        return fetch_version(config, *registry.resolve(config.uri), folder, registry)
    except WiringError:
        raise
    except Exception as error:  # a registry is a server, a database or a folder: their errors have no common class
        # Whatever it raises, there is no model: one message and exit status 2, with the cause chained.
        where = f"model: {config.uri} cannot be fetched from {config.registry}"
        kind = ModelUnavailableError if isinstance(error, OSError) or _is_database_error(error) else ModelError
        raise kind(redacted(f"{where}: {type(error).__name__}: {gist(error)}")) from error


def fetch_version(
    config: Model, name: str, version: str, folder: Path, registry: Registry | None = None
) -> ModelVersion:
    """Fetch one version by the rules of the configuration; see ``Registry.fetch``."""
    if config.endpoint:
        raise ModelNotFoundError(f"{name} version {version}: an endpoint answers with one version only")
    if config.allow.names and name not in config.allow.names:
        raise UntrustedModelError(f"{name} version {version}: model.allow.names does not have {name}")
    registry = registry or Registry(config.registry)
    return registry.fetch(name, version, folder, config.allow, config.trust == PICKLE)


def _is_missing(error: Exception) -> bool:
    # SQL stores call an alias that is not there an invalid parameter, others a resource that does not exist.
    return getattr(error, "error_code", None) in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")


def tracking_uri(registry_uri: str) -> str:
    """Return where the runs of a registry's models are: Unity Catalog keeps models, the workspace keeps runs."""
    return re.sub(f"^{UNITY_CATALOG}", DATABRICKS, registry_uri)


def _is_database_error(error: Exception) -> bool:
    # Only a registry in a database needs SQLAlchemy, which not every cluster has.
    kinds = [f"{kind.__module__}.{kind.__name__}" for kind in type(error).__mro__]
    return "sqlalchemy.exc.OperationalError" in kinds


def redacted(uri: str) -> str:
    """Return a text with every user and password taken out of its URIs."""
    return re.sub(r"//[^/@]*@", "//***@", uri)
