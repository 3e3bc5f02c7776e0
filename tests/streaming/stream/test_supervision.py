import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from clickscore.errors import StreamError
from clickscore.storage.fence import Fence
from clickscore.stream import supervision
from clickscore.stream.clock import Clock
from clickscore.stream.supervision import Supervision


@pytest.fixture
def query(spark: SparkSession, tmp_path: Path) -> Iterator[StreamingQuery]:
    """A stream in which a micro-batch never takes long, and which never ends by itself."""
    writer = spark.readStream.format("rate").load().writeStream.option("checkpointLocation", str(tmp_path / "rate"))
    query = writer.trigger(processingTime="1 hour").foreachBatch(lambda rows, _: None).start()
    yield query
    query.stop()


@pytest.fixture
def fence(spark: SparkSession, tmp_path: Path) -> Fence:
    return Fence.acquire(spark, str(tmp_path / "checkpoint"), "run 1")


def at_most_once(action: Callable[[], object]) -> Callable[[StreamingQuery], None]:
    done: list[object] = []
    return lambda _: None if done else done.append(action())


def test_signal_ends_the_query_between_two_micro_batches(query: StreamingQuery, fence: Fence) -> None:
    signals: list[int] = []
    stopping = threading.Event()
    watch = Supervision(fence, signals, tell=print, look=at_most_once(lambda: signals.append(15)))
    assert not watch.await_end(query, stopping)
    assert stopping.is_set()
    assert not query.isActive


def test_clock_that_is_set_back_ends_the_query_and_is_told_once(query: StreamingQuery, fence: Fence) -> None:
    told: list[str] = []
    now = [1_000_000.0]
    clock = Clock(wall=lambda: now[0], steady=lambda: 0.0)
    watch = Supervision(fence, [], told.append, at_most_once(lambda: now.__setitem__(0, 996_400.0)), clock)
    assert watch.await_end(query, threading.Event())
    assert told == ["the clock was set back by 3,600 s; the stream continues with the new time"]


def test_run_that_was_replaced_is_told_before_it_writes_again(
    spark: SparkSession, query: StreamingQuery, fence: Fence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "FENCE_CHECK_S", 0)
    take_over = at_most_once(lambda: Fence.acquire(spark, str(tmp_path / "checkpoint"), "run 2"))
    with pytest.raises(StreamError, match="says run 2, this run is run 1"):
        Supervision(fence, [], print, take_over).await_end(query, threading.Event())
    assert query.isActive  # whoever started it stops it
