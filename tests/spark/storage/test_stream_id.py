from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import StreamError
from clickscore.storage.fence import Fence
from clickscore.storage.stream_id import ensure_stream_id, read_stream_id


@pytest.fixture
def checkpoint(tmp_path: Path) -> str:
    return str(tmp_path / "checkpoint")


def test_stream_keeps_the_id_of_its_first_start(spark: SparkSession, checkpoint: str) -> None:
    assert read_stream_id(spark, checkpoint) is None
    assert ensure_stream_id(spark, checkpoint, Fence.acquire(spark, checkpoint, "run 1"), "first") == "first"
    assert ensure_stream_id(spark, checkpoint, Fence.acquire(spark, checkpoint, "run 2"), "second") == "first"
    assert read_stream_id(spark, checkpoint) == "first"


def test_run_behind_another_ones_fence_writes_no_id(spark: SparkSession, checkpoint: str) -> None:
    earlier, later = Fence.acquire(spark, checkpoint, "run 1"), Fence.acquire(spark, checkpoint, "run 2")
    with pytest.raises(StreamError, match="says run 2, this run is run 1"):
        ensure_stream_id(spark, checkpoint, earlier, "earlier")
    assert ensure_stream_id(spark, checkpoint, later, "later") == "later"
    assert read_stream_id(spark, checkpoint) == "later"


def test_two_first_starts_at_the_same_moment_end_with_one_id(
    spark: SparkSession, checkpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier, chosen, check = Fence.acquire(spark, checkpoint, "run 1"), [], Fence.check

    def overtaken(fence: Fence) -> None:
        check(fence)
        if not chosen and fence.run_id == "run 1":  # it goes on to write, behind a fence that it has not seen
            chosen.append("")
            later = Fence.acquire(spark, checkpoint, "run 2")
            chosen.append(ensure_stream_id(spark, checkpoint, later, "a"))

    monkeypatch.setattr(Fence, "check", overtaken)
    with pytest.raises(StreamError, match="says run 2, this run is run 1"):
        ensure_stream_id(spark, checkpoint, earlier, "b")
    assert chosen[1] == read_stream_id(spark, checkpoint) == "a"


def test_id_of_which_nothing_was_written_is_none(spark: SparkSession, checkpoint: str) -> None:
    (Path(checkpoint) / "clickscore-stream" / "_temporary").mkdir(parents=True)
    (Path(checkpoint) / "clickscore-stream" / "part-0.txt").touch()
    assert read_stream_id(spark, checkpoint) is None
