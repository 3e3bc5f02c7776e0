import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.support.waiting import wait_until

from clickscore.registry.registry import fetch_current, fetch_version
from clickscore.storage.fence import Fence
from clickscore.storage.model_timeline import Timeline
from clickscore.storage.schemas import MODEL_TIMELINE
from clickscore.storage.table import Table
from clickscore.stream import alias_poller
from clickscore.stream.active_models import ActiveModels
from clickscore.stream.alias_poller import AliasPoller
from clickscore.stream.definition import read_definition
from clickscore.stream.deployment import Deployment


@pytest.fixture
def open_watch(
    spark: SparkSession, shop: Any, tmp_path: Path
) -> Callable[[list[str]], tuple[AliasPoller, ActiveModels]]:
    def build(told: list[str]) -> tuple[AliasPoller, ActiveModels]:
        config = shop.config
        features, deployment = read_definition(config).features, Deployment(spark, config.model)
        timeline = Table(str(tmp_path / "model_timeline"))
        timeline.create(spark, MODEL_TIMELINE, ["from_batch"], {})
        fence = Fence.acquire(spark, str(tmp_path / "checkpoint"), "run")
        fetch = partial(fetch_version, config.model, folder=tmp_path)
        models = ActiveModels(
            config, features.schema, fetch_current(config.model, tmp_path),
            Timeline(spark, timeline, fetch, fence), 0, tmp_path, deployment, told.append,
        )  # fmt: skip
        return AliasPoller(models, 0.05, deployment, told.append), models

    return build


def test_workers_are_touched_in_long_pauses(
    open_watch: Callable[[list[str]], tuple[AliasPoller, ActiveModels]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alias_poller, "HEARTBEAT_S", 0.2)
    touched: list[int] = []
    keep_warm = Deployment.keep_warm
    monkeypatch.setattr(Deployment, "keep_warm", lambda *args: touched.append(1) or keep_warm(*args))
    told: list[str] = []
    watch, _ = open_watch(told)
    watch.start()
    wait_until(lambda: len(touched) >= 2)
    watch.stop()
    assert told == []


def test_fault_of_one_turn_is_told_and_the_watch_goes_on(
    open_watch: Callable[[list[str]], tuple[AliasPoller, ActiveModels]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    watch, models = open_watch(told)
    turns: list[int] = []

    def poll() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise OSError("no room on the disk")

    monkeypatch.setattr(models.champion, "poll", poll)
    watch.start()
    wait_until(lambda: len(turns) >= 3)
    watch.stop()
    assert told == ["polling the model registry failed: no room on the disk"]


def test_watch_that_is_stopped_before_it_begins_never_asks(
    open_watch: Callable[[list[str]], tuple[AliasPoller, ActiveModels]], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, models = open_watch([])
    polls: list[int] = []
    monkeypatch.setattr(models.champion, "poll", lambda: polls.append(1))
    watch.stop()
    watch.start()
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "alias-poller"])
    assert polls == []


def test_challenger_that_is_there_already_is_ready_before_the_first_micro_batch(
    shop: Any, open_watch: Callable[[list[str]], tuple[AliasPoller, ActiveModels]], registry_uri: str,
    register_booster: Callable[..., str],
) -> None:  # fmt: skip
    version = register_booster(registry_uri, seed=5, name="ready", alias="challenger")
    shop.set(model={"uri": "models:/small_model@champion", "registry": registry_uri,
                    "challenger": "models:/ready@challenger"})  # fmt: skip
    watch, models = open_watch([])
    watch.start()
    assert [model.key for model in models.in_service][1:] == [("ready", version)]
    assert models.models_for(0, False, False)[1] is not None
    watch.stop()
