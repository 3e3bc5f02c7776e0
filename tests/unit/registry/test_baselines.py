"""A baseline is kept with its version, and one that cannot be used keeps no version from scoring."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from mlflow import MlflowClient

from clickscore.config.model import Allow
from clickscore.drift.baseline import Baseline, BaselineError, baseline_of
from clickscore.registry.baselines import BASELINE_TAG, fetch_baseline, keep_baseline
from clickscore.registry.registry import Registry
from clickscore.registry.version import ModelVersion

NAME = "with_baseline"
INPUTS = pa.schema([("double_price", pa.float64()), ("quantity", pa.float64())])


def baseline(feature: str = "quantity") -> Baseline:
    inputs = pa.StructArray.from_arrays([pa.array([1.0, 2.0, None])], [feature])
    return baseline_of(inputs, np.array([0.1, 0.2, 0.3]))


@pytest.fixture(scope="module")
def registered(registry_uri: str, register_booster: Callable[..., str]) -> str:
    return register_booster(registry_uri, seed=1, name=NAME)


@pytest.fixture
def client(registry_uri: str, registered: str) -> Iterator[MlflowClient]:
    """The registry, whose version has its own baseline again afterwards."""
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    digest = client.get_model_version(NAME, registered).tags[BASELINE_TAG]
    yield client
    client.set_model_version_tag(NAME, registered, BASELINE_TAG, digest)


def fetch(registry_uri: str, version: str, folder: Path) -> ModelVersion:
    return Registry(registry_uri).fetch(NAME, version, folder, Allow())


def test_version_comes_with_the_baseline_that_it_was_registered_with(
    registry_uri: str, registered: str, tmp_path: Path
) -> None:
    found = fetch(registry_uri, registered, tmp_path)
    assert found.baseline
    assert list(found.baseline.bins.features) == INPUTS.names
    assert sum(found.baseline.counts) == 3 * 500
    assert not found.doubts


def test_version_may_get_another_baseline_later(
    registry_uri: str, registered: str, client: MlflowClient, tmp_path: Path
) -> None:
    run_id = client.get_model_version(NAME, registered).run_id
    keep_baseline(client, NAME, registered, run_id, baseline())
    assert fetch(registry_uri, registered, tmp_path).baseline == baseline()


def test_version_scores_without_a_baseline_that_is_gone(
    registry_uri: str, registered: str, client: MlflowClient, tmp_path: Path
) -> None:
    client.set_model_version_tag(NAME, registered, BASELINE_TAG, "0" * 64)
    found = fetch(registry_uri, registered, tmp_path)
    assert found.baseline is None
    [doubt] = found.doubts
    assert doubt.startswith(f"drift of {NAME} version {registered} cannot be measured, its baseline is not usable: ")
    assert f"baseline/{'0' * 64}.json of run {found.run_id} cannot be fetched: " in doubt


def test_baseline_that_was_changed_is_refused(registered: str, client: MlflowClient) -> None:
    run_id, digest = client.get_model_version(NAME, registered).run_id, "1" * 64
    client.log_text(run_id, baseline().to_json(), f"baseline/{digest}.json")
    with pytest.raises(BaselineError, match=f"it was changed: expected SHA-256 {digest[:16]}..., found "):
        fetch_baseline(client, run_id, digest, INPUTS)


def test_baseline_of_other_features_is_refused(registered: str, client: MlflowClient) -> None:
    run_id, other = client.get_model_version(NAME, registered).run_id, baseline("colour")
    keep_baseline(client, NAME, registered, run_id, other)
    with pytest.raises(BaselineError, match="it has features that the version does not ask for: colour"):
        fetch_baseline(client, run_id, other.digest, INPUTS)


def test_version_without_a_run_has_none(client: MlflowClient) -> None:
    with pytest.raises(BaselineError, match="the version has no run"):
        fetch_baseline(client, None, "0" * 64, INPUTS)
