"""Pauses of a stream, with one thread as the stream and another as the job that asks."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from tests.support.waiting import PATIENCE_S, wait_until

from clickscore.storage import pause
from clickscore.storage.pause import Pauses, paused

BATCH = 7


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def pauses(spark: SparkSession, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Pauses:
    monkeypatch.setattr(pause, "LOOK_S", 0.0)
    monkeypatch.setattr(pause, "POLL_S", 0.01)
    return Pauses(spark, str(tmp_path), said.append)


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def files(folder: Path) -> list[str]:
    return [path.suffix for path in sorted((folder / pause.FOLDER).glob("[!.]*"))]


def test_micro_batch_begins_when_the_job_that_has_asked_is_done(
    spark: SparkSession, tmp_path: Path, pauses: Pauses, said: list[str], aside: ThreadPoolExecutor
) -> None:
    heard: list[str] = []
    begun, done = threading.Event(), threading.Event()

    def commit() -> bool:
        with paused(spark, str(tmp_path), heard.append):
            time.sleep(0.1)
            was_alone = not begun.is_set()
            done.set()
        return was_alone

    asking = aside.submit(commit)
    wait_until(lambda: files(tmp_path) == [".asked"], "the request")
    pauses.look()
    pauses.wait(BATCH, lambda: False)
    begun.set()
    assert done.is_set()
    assert asking.result(PATIENCE_S)
    assert said == ["batch 7 waits for another job that changes the tables, 60 s at most"]
    assert heard == ["the stream waits until this commit is done"]
    assert files(tmp_path) == []
    pauses.look()
    pauses.wait(BATCH + 1, lambda: False)
    assert len(said) == 1


def test_requests_of_jobs_that_were_killed_are_removed_after_one_time_for_all(
    tmp_path: Path, pauses: Pauses, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pause, "LONGEST_S", 0.2)
    (tmp_path / pause.FOLDER).mkdir()
    for number in range(100):
        (tmp_path / pause.FOLDER / f"killed-{number}.asked").touch()
    began = time.monotonic()
    pauses.look()
    pauses.wait(BATCH, lambda: False)
    assert 0.2 <= time.monotonic() - began < PATIENCE_S
    assert len(said) == 101
    assert "killed-7.asked has been there for more than 0 s, so its job was killed or takes too long" in "".join(said)
    assert files(tmp_path) == []


def test_stream_that_is_to_stop_waits_for_nobody(tmp_path: Path, pauses: Pauses) -> None:
    (tmp_path / pause.FOLDER).mkdir()
    (tmp_path / pause.FOLDER / "asking.asked").touch()
    pauses.look()
    pauses.wait(BATCH, lambda: True)
    assert files(tmp_path) == [".asked"]  # the job is still there, and its commit is tried


def test_request_that_comes_within_a_micro_batch_is_heard_at_the_next_look(
    tmp_path: Path, pauses: Pauses, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pause, "LOOK_S", 60.0)
    monkeypatch.setattr(pause, "LONGEST_S", 0.0)
    pauses.look()
    (tmp_path / pause.FOLDER).mkdir()
    (tmp_path / pause.FOLDER / "asking.asked").touch()
    pauses.look()
    pauses.wait(BATCH, lambda: False)
    assert said == []
    monkeypatch.setattr(pause, "LOOK_S", 0.0)
    pauses.look()
    pauses.wait(BATCH, lambda: False)
    assert len(said) == 2


def test_job_goes_on_where_no_stream_answers(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pause, "ANSWER_S", 0.0)
    heard: list[str] = []
    with pytest.raises(KeyError), paused(spark, str(tmp_path), heard.append):
        raise KeyError  # whatever the commit raises, the request is taken back
    assert heard == ["no stream has answered within 0 s; the commit is tried all the same"]
    assert files(tmp_path) == []
