"""A trained model is logged with its metrics and registered as a version with a digest."""

import tempfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clickscore.drift.baseline import Baseline
from clickscore.registry.baselines import keep_baseline
from clickscore.registry.registry import DATABRICKS, SQLITE, Registry, tracking_uri
from clickscore.registry.trust import digest
from clickscore.training.algorithms import Learner

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_TAGS: Mapping[str, str] = MappingProxyType({})


def register(
    registry: Registry, fitted: Any, learner: Learner, name: str, alias: str, example: pd.DataFrame,
    parameters: dict[str, Any], metrics: dict[str, float], figures: dict[str, "Figure"],
    tags: Mapping[str, str] = NO_TAGS, baseline: Baseline | None = None,
) -> tuple[str, bool]:  # fmt: skip
    """Log a model, register it and pin the digest of its files and its answers; the first to come gets the alias.

    The run has the tags from its beginning, so before there is a version. A baseline is kept with the version.

    Returns:
        The version, and whether it has got the alias.
    """
    import mlflow
    from mlflow.models import infer_signature

    registry.select()
    _select_experiment(registry, name)
    answers = learner.predict(fitted, example)
    # Every feature may be absent in some click, even if none was in the example.
    signature = infer_signature(pd.concat([example, example * np.nan]), answers)
    with mlflow.start_run(tags=dict(tags)) as run:
        mlflow.log_params(parameters)
        mlflow.log_metrics(metrics)
        for file, figure in figures.items():
            mlflow.log_figure(figure, f"plots/{file}")
        logged = getattr(mlflow, learner.flavor).log_model(
            **{learner.argument: fitted}, name="model", signature=signature, input_example=example,
            registered_model_name=name,
            pip_requirements=[
                f"{learner.package}=={metadata.version(learner.package)}",
                f"mlflow=={mlflow.__version__}",  # also where only mlflow-skinny is installed
            ],
        )  # fmt: skip
    version = str(logged.registered_model_version)
    with tempfile.TemporaryDirectory() as folder:
        registry.download(name, version, Path(folder, "model"))
        registry.pin(name, version, digest(Path(folder, "model")), answers.tolist())
    if baseline:
        keep_baseline(registry.client, name, version, run.info.run_id, baseline)
    is_first = bool(alias) and not registry.has_alias(name, alias)
    if is_first:
        registry.set_alias(name, alias, version)
    return version, is_first


def experiment_name(registry_uri: str, name: str) -> str:
    """Return the experiment of a registered model; in a workspace of Databricks it is a path."""
    return f"/Shared/{name}" if tracking_uri(registry_uri).startswith(DATABRICKS) else name


def _select_experiment(registry: Registry, name: str) -> None:
    import mlflow

    name = experiment_name(registry.uri, name)
    if mlflow.get_experiment_by_name(name) is None:
        # MLflow would put the artifacts of a local database into ./mlruns, wherever the job was started.
        file = registry.uri.removeprefix(SQLITE)
        beside = Path(file).resolve().parent / "mlflow-artifacts"
        mlflow.create_experiment(name, artifact_location=beside.as_uri() if file != registry.uri else None)
    mlflow.set_experiment(name)
