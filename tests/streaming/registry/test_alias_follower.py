"""Following an alias in a real registry: what comes, what is refused, what happens when the registry is away."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from pyspark.errors import AnalysisException

from clickscore.config.model import Model
from clickscore.errors import ModelError
from clickscore.registry.alias_follower import Follower
from clickscore.registry.registry import fetch_current
from clickscore.registry.version import ModelVersion


class Witness:
    """Hears what a follower says."""

    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.told: list[str] = []
        self.noted: list[tuple[str, str]] = []
        self.fault: str | None = None
        self.outage: Exception | None = None

    def prepare(self, model: ModelVersion) -> None:
        self.prepared.append(model.version)
        if self.outage:
            raise self.outage
        if self.fault:
            raise ModelError(self.fault)

    def refuse(self, model: ModelVersion | tuple[str, str], reason: str) -> None:
        self.noted.append((model.version if isinstance(model, ModelVersion) else model[1], reason))


@pytest.fixture
def moves(registry_uri: str, register_booster: Callable[..., str]) -> Callable[..., str]:
    """Register another version; the alias moves to it."""
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)

    def register(seed: int = 1) -> str:
        version = register_booster(registry_uri, seed=seed, name="followed")
        client.set_registered_model_alias("followed", "champion", version)
        return version

    return register


@pytest.fixture
def witness() -> Witness:
    return Witness()


@pytest.fixture
def follower(registry_uri: str, tmp_path: Path, moves: Callable[..., str], witness: Witness) -> Follower:
    moves()
    config = Model(uri="models:/followed@champion", registry=registry_uri)
    return Follower(config, config.uri, fetch_current(config, tmp_path), tmp_path, witness.prepare,
                    witness.told.append, witness.refuse)  # fmt: skip


def current(follower: Follower) -> str:
    assert follower.current
    return follower.current.version


def test_version_that_the_alias_moves_to_is_prepared_and_then_current(
    follower: Follower, witness: Witness, moves: Callable[..., str]
) -> None:
    before = current(follower)
    follower.poll()
    assert (witness.prepared, witness.told) == ([], [])
    second = moves(2)
    follower.poll()
    follower.poll()
    assert (current(follower), witness.prepared) == (second, [second])
    assert witness.told == [
        f"followed version {second} is ready: models:/followed@champion has moved from version {before}"
    ]


def test_version_that_does_not_pass_is_refused_once_and_the_current_one_stays(
    follower: Follower, witness: Witness, moves: Callable[..., str]
) -> None:
    before, second = current(follower), moves(2)
    witness.fault = "it answers rubbish"
    follower.poll()
    follower.poll()
    assert current(follower) == before
    assert witness.prepared == [second]
    assert witness.noted == [(second, "it answers rubbish")]
    assert len(witness.told) == 1
    assert f"followed version {second} is refused, followed version {before} stays" in witness.told[0]


def test_refused_version_is_tried_again_when_the_alias_has_been_elsewhere(
    follower: Follower, witness: Witness, moves: Callable[..., str], registry_uri: str
) -> None:
    before, second = current(follower), moves(2)
    witness.fault = "it answers rubbish"
    follower.poll()
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    client.set_registered_model_alias("followed", "champion", before)
    follower.poll()
    witness.fault = None
    client.set_registered_model_alias("followed", "champion", second)
    follower.poll()
    assert current(follower) == second


def test_tampered_version_is_refused_before_it_is_prepared(
    follower: Follower, witness: Witness, moves: Callable[..., str], registry_uri: str
) -> None:
    before, second = current(follower), moves(2)
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    place = client.get_model_version_download_uri("followed", second).removeprefix("file://")
    Path(place, "model.lgb").write_text("tampered")
    follower.poll()
    assert (current(follower), witness.prepared) == (before, [])
    assert "the files are not those that were registered" in witness.noted[0][1]


def test_alias_that_is_gone_leaves_the_current_version_at_work(
    follower: Follower, witness: Witness, moves: Callable[..., str], registry_uri: str
) -> None:
    before = current(follower)
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    client.delete_registered_model_alias("followed", "champion")
    for _ in range(3):
        follower.poll()
    assert (current(follower), follower.silent_polls, len(witness.told)) == (before, 3, 1)
    assert f"cannot be looked up, followed version {before} stays" in witness.told[0]
    client.set_registered_model_alias("followed", "champion", before)
    follower.poll()
    assert "is back; it could not be looked up 3 times" in witness.told[1]


def test_registry_that_is_down_leaves_the_current_version_at_work(
    witness: Witness, tmp_path: Path, registry_uri: str, moves: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moves()
    config = Model(uri="models:/followed@champion", registry=registry_uri)
    at_work = fetch_current(config, tmp_path)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    down = Model(uri="models:/followed@champion", registry="http://me:secret@127.0.0.1:9")
    follower = Follower(down, down.uri, at_work, tmp_path, witness.prepare, witness.told.append, witness.refuse)
    follower.poll()
    follower.poll()
    assert (follower.current, follower.silent_polls, len(witness.told)) == (at_work, 2, 1)
    assert "secret" not in witness.told[0]
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"


def test_files_that_cannot_be_fetched_now_are_asked_for_again(
    follower: Follower, witness: Witness, moves: Callable[..., str], registry_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, second = current(follower), moves(2)
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    place = Path(client.get_model_version_download_uri("followed", second).removeprefix("file://"))
    place.rename(place.with_name("away"))
    follower.poll()
    follower.poll()
    assert (current(follower), witness.noted, len(witness.told)) == (before, [], 1)
    assert f"followed version {second} is retried every 30 s, followed version {before} stays" in witness.told[0]
    place.with_name("away").rename(place)
    follower.poll()
    assert current(follower) == before
    monkeypatch.setattr(follower, "_waiting", None)  # half a minute later
    follower.poll()
    assert current(follower) == second


@pytest.mark.parametrize(
    "outage",
    [OSError(28, "No space left on device"), AnalysisException("the session is stopped")],
    ids=["disk", "spark"],
)
def test_version_that_cannot_be_tried_for_no_fault_of_its_own_is_tried_again(
    follower: Follower, witness: Witness, moves: Callable[..., str], monkeypatch: pytest.MonkeyPatch, outage: Exception
) -> None:
    before, second = current(follower), moves(2)
    witness.outage = outage
    follower.poll()
    assert (current(follower), witness.noted, len(witness.told)) == (before, [], 1)
    assert f"followed version {second} is retried every 30 s, followed version {before} stays: " in witness.told[0]
    assert str(outage) in witness.told[0]
    witness.outage = None
    monkeypatch.setattr(follower, "_waiting", None)  # half a minute later
    follower.poll()
    assert current(follower) == second


def test_challenger_that_does_not_exist_yet_is_no_news(
    witness: Witness, tmp_path: Path, registry_uri: str, moves: Callable[..., str]
) -> None:
    version = moves()
    config: Any = Model(uri="models:/followed@champion", registry=registry_uri)
    follower = Follower(config, "models:/followed@later", None, tmp_path, witness.prepare, witness.told.append,
                        witness.refuse, is_optional=True)  # fmt: skip
    follower.poll()
    assert (follower.current, witness.told) == (None, [])
    MlflowClient(tracking_uri=registry_uri).set_registered_model_alias("followed", "later", version)
    follower.poll()
    assert current(follower) == version
    MlflowClient(tracking_uri=registry_uri).delete_registered_model_alias("followed", "later")
    follower.poll()
    assert follower.current is None
    assert witness.told[-1] == f"models:/followed@later no longer exists; followed version {version} stops scoring"
