"""A real server of MLflow with a model that has moods, for the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.endpoint import Gateway, MlflowServer, gateway, mlflow_served
from tests.support.poison import GATE, register_poison

MODEL = "moody_behind_an_endpoint"


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file; as long as it is there, the model does not answer."""
    return tmp_path_factory.mktemp("gate") / "closed"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, gate: Path, registry_uri: str) -> Iterator[MlflowServer]:
    version = register_poison(registry_uri, MODEL)
    home = tmp_path_factory.mktemp("endpoint")
    with mlflow_served(registry_uri, f"models:/{MODEL}/{version}", home, {GATE: str(gate)}) as running:
        yield running


@pytest.fixture
def broken() -> Iterator[Gateway]:
    """A server with nothing behind it: what it answers is up to the test."""
    with gateway() as running:
        yield running
