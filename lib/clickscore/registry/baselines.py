"""The baseline of a version in the registry: a file of its run, found and checked by a tag of the version."""

from typing import Any

import pyarrow as pa

from clickscore.drift.baseline import Baseline, BaselineError, read_baseline
from clickscore.errors import gist

BASELINE_TAG = "clickscore.baseline"
"""Tag of a version: SHA-256 of its baseline."""


def keep_baseline(client: Any, name: str, version: str, run_id: str, baseline: Baseline) -> None:
    """Write a baseline into the run of a version, and its digest into a tag of the version.

    Args:
        client: MLflow's client of the registry.
        name: registered model.
        version: its version.
        run_id: its run.
        baseline: what is written.
    """
    client.log_text(run_id, baseline.to_json(), _file(baseline.digest))
    client.set_model_version_tag(name, version, BASELINE_TAG, baseline.digest)


def fetch_baseline(client: Any, run_id: str | None, digest: str, inputs: pa.Schema) -> Baseline:
    """Return the baseline of a version.

    Args:
        client: MLflow's client of the registry.
        run_id: run of the version.
        digest: what the tag of the version says.
        inputs: what the version asks for.

    Raises:
        BaselineError: if it cannot be fetched, is not the one that was written, or is of other features.
    """
    from mlflow.artifacts import load_text
    from mlflow.exceptions import MlflowException

    if not run_id:
        raise BaselineError("the version has no run, in which a baseline is a file")
    try:
        uri = client.get_run(run_id).info.artifact_uri
        baseline = read_baseline(load_text(f"{uri}/{_file(digest)}"))
    except (MlflowException, OSError) as error:
        raise BaselineError(f"{_file(digest)} of run {run_id} cannot be fetched: {gist(error)}") from None
    if baseline.digest != digest:
        raise BaselineError(f"it was changed: expected SHA-256 {digest[:16]}..., found {baseline.digest[:16]}...")
    if others := sorted(set(baseline.bins.features) - set(inputs.names)):
        raise BaselineError(f"it has features that the version does not ask for: {', '.join(others)}")
    return baseline


def _file(digest: str) -> str:
    """Return the name of the file: a run may have several versions, and a version another baseline later."""
    return f"baseline/{digest}.json"
