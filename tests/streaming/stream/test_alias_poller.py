import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.registry.registry import fetch_current
from clickscore.scoring.contract import feature_types, read_contract
from clickscore.stream import alias_poller
from clickscore.stream.active_models import Lineup
from clickscore.stream.alias_poller import ModelWatch
from clickscore.stream.deployment import Deployment


@pytest.fixture
def open_watch(spark: SparkSession, shop: Any, tmp_path: Path) -> Callable[[list[str]], tuple[ModelWatch, Lineup]]:
    def build(told: list[str]) -> tuple[ModelWatch, Lineup]:
        config = shop.config
        contract, deployment = read_contract(config), Deployment(spark, config.model)
        lineup = Lineup(config, contract, feature_types(spark, contract, "f"), fetch_current(config.model, tmp_path),
                        tmp_path, deployment, told.append)  # fmt: skip
        return ModelWatch(lineup, 0.05, deployment, told.append), lineup

    return build


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_workers_are_touched_in_long_pauses(
    open_watch: Callable[[list[str]], tuple[ModelWatch, Lineup]], monkeypatch: pytest.MonkeyPatch
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
    open_watch: Callable[[list[str]], tuple[ModelWatch, Lineup]], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    watch, lineup = open_watch(told)
    turns: list[int] = []

    def poll() -> None:
        turns.append(1)
        if len(turns) == 1:
            raise OSError("no room on the disk")

    monkeypatch.setattr(lineup.champion, "poll", poll)
    watch.start()
    wait_until(lambda: len(turns) >= 3)
    watch.stop()
    assert told == ["the watch over the models had to skip a turn: no room on the disk"]


def test_watch_that_is_stopped_before_it_begins_never_asks(
    open_watch: Callable[[list[str]], tuple[ModelWatch, Lineup]], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch, lineup = open_watch([])
    polls: list[int] = []
    monkeypatch.setattr(lineup.champion, "poll", lambda: polls.append(1))
    watch.stop()
    watch.start()
    wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "model-watch"])
    assert polls == []
