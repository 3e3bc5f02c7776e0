"""The watch notices a new version behind an endpoint, tries it, and has none but the last while it is away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.endpoint import VERSION_HEADER, Gateway, Reply, gateway

from clickscore.config.model import Model
from clickscore.errors import ModelError, ModelUnavailableError
from clickscore.registry.endpoint_version import fetch_endpoint
from clickscore.registry.endpoint_watch import EndpointWatch
from clickscore.registry.version import ModelVersion


@pytest.fixture
def endpoint() -> Iterator[Gateway]:
    with gateway() as running:
        running.mood = lambda number, body: Reply(body=b'{"predictions": [0.5]}')
        yield running


class Watch:
    """A watch, with what it has prepared, refused and told."""

    def __init__(self, endpoint: Gateway, folder: Path, **version: Any) -> None:
        section = {"name": "m", "inputs": "price DOUBLE", "deadline": "500 milliseconds", **version}
        tree = {"uri": f"endpoint:{endpoint.url}", "time_limit": "500 milliseconds", "endpoint": section}
        first = fetch_endpoint(Model.model_validate(tree), folder)
        self.prepared: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.fault: ModelError | None = None
        self.watch = EndpointWatch(
            first, folder, self._prepare, self.told.append, lambda m, why: self.refused.append((m.version, why))
        )

    def _prepare(self, model: ModelVersion) -> None:
        self.prepared.append(model.version)
        if self.fault:
            raise self.fault

    def look(self) -> str:
        self.watch.look()
        return self.watch.current.version


@pytest.fixture
def watch(endpoint: Gateway, tmp_path: Path) -> Watch:
    return Watch(endpoint, tmp_path, version_header=VERSION_HEADER)


def test_same_version_is_not_tried_again(watch: Watch) -> None:
    assert [watch.look(), watch.look()] == ["7", "7"]
    assert watch.prepared == watch.told == []


def test_new_version_is_tried_and_told(endpoint: Gateway, watch: Watch) -> None:
    endpoint.version = "8"
    assert watch.look() == "8"
    assert watch.prepared == ["8"]
    [line] = watch.told
    assert line.endswith("/invocations answers with m version 8 now, before with version 7")


def test_new_version_that_fails_its_trial_leaves_nothing_that_can_score(endpoint: Gateway, watch: Watch) -> None:
    endpoint.version, watch.fault = "8", ModelError("it predicts text")
    for _ in range(2):
        with pytest.raises(ModelUnavailableError, match="answers with m version 8: it predicts text"):
            watch.look()
    assert watch.refused == [("8", "it predicts text")]
    endpoint.version = "7"
    assert watch.look() == "7"


def test_executors_that_cannot_reach_it_refuse_no_version(endpoint: Gateway, watch: Watch) -> None:
    endpoint.version, watch.fault = "8", ModelUnavailableError("no route to host")
    with pytest.raises(ModelUnavailableError, match="no route to host"):
        watch.look()
    assert watch.refused == []
    watch.fault = None
    assert watch.look() == "8"


@pytest.mark.parametrize("status", [503, 400, 401])
def test_endpoint_that_answers_no_example_any_more_is_away(endpoint: Gateway, watch: Watch, status: int) -> None:
    endpoint.mood = lambda number, body: Reply(status, b"no")
    with pytest.raises(ModelUnavailableError, match=f"HTTP {status}: no"):
        watch.look()
    assert watch.watch.current.version == "7"


def test_endpoint_whose_version_is_configured_is_not_asked(endpoint: Gateway, tmp_path: Path) -> None:
    watch, before = Watch(endpoint, tmp_path, version="autumn"), endpoint.requests
    endpoint.version = "8"
    assert watch.look() == "autumn"
    assert endpoint.requests == before
