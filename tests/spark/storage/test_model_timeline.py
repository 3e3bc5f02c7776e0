from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.endpoint.client import Connection
from clickscore.errors import StreamError, UntrustedModelError
from clickscore.registry.version import BOOSTER, ModelVersion
from clickscore.storage.fence import Fence
from clickscore.storage.model_timeline import CHALLENGER, CHAMPION, REFUSED, WITHDRAWN, Timeline, read_pin
from clickscore.storage.schemas import MODEL_TIMELINE
from clickscore.storage.table import Table
from clickscore.storage.transactions import last_batch

V1 = ModelVersion("m", "1", "run", "d" * 64, T.StructType([]), Path(), BOOSTER)
V2 = replace(V1, version="2")


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    table = Table(str(tmp_path / "model_timeline"))
    table.create(spark, MODEL_TIMELINE, ["from_batch"], {})
    return table


@pytest.fixture
def open_timeline(spark: SparkSession, table: Table, tmp_path: Path) -> Callable[[], Timeline[ModelVersion]]:
    def open_timeline() -> Timeline[ModelVersion]:
        fence = Fence.acquire(spark, str(tmp_path / "checkpoint"), f"run {next(runs)}")
        return Timeline(spark, table, lambda name, version: replace(V1, name=name, version=version), fence)

    runs = count(1)
    return open_timeline


def test_run_that_another_one_has_taken_over_from_pins_nothing(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    paused = open_timeline()
    assert open_timeline().model_for(0, False, V2) == V2
    with pytest.raises(StreamError, match=r"another run .* has taken the stream over: .*run 2, this run is run 1"):
        paused.model_for(0, False, V1)
    assert rows(spark, table) == [(0, "champion", "scores", "2")]


def rows(spark: SparkSession, table: Table) -> list[tuple[int, str, str, str]]:
    found = table.read(spark).orderBy("pinned_at").collect()
    return [(row.from_batch, row.role, row.event, row.model_version) for row in found]


def test_row_is_written_only_when_the_version_changes(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    first = open_timeline()
    assert [first.model_for(batch, False, V1) for batch in (0, 1, 2)] == [V1, V1, V1]
    assert open_timeline().model_for(3, False, V1) == V1
    assert open_timeline().model_for(4, False, V2) == V2
    assert rows(spark, table) == [(0, "champion", "scores", "1"), (4, "champion", "scores", "2")]


def test_micro_batch_that_was_planned_before_keeps_its_version(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    assert open_timeline().model_for(0, False, V1) == V1
    restarted = open_timeline()
    assert restarted.model_for(1, True, V2) == V1
    assert restarted.model_for(2, False, V2) == V2
    assert rows(spark, table) == [(0, "champion", "scores", "1"), (2, "champion", "scores", "2")]


def test_micro_batch_that_was_planned_but_not_pinned_gets_the_current_version(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    assert open_timeline().model_for(0, True, V2) == V2
    assert rows(spark, table) == [(0, "champion", "scores", "2")]


def test_refused_version_is_written_down_and_no_promise(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    timeline = open_timeline()
    timeline.model_for(0, False, V1)
    timeline.note(1, CHAMPION, REFUSED, ("m", "2"), "its files were changed")
    assert open_timeline().model_for(1, True, V2) == V1
    refused = table.read(spark).where("event = 'refused'").collect()
    assert [(row.model_version, row.digest, row.reason) for row in refused] == [("2", None, "its files were changed")]


def test_withdrawn_version_gives_the_micro_batch_back(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    timeline = open_timeline()
    timeline.model_for(0, False, V1)
    timeline.model_for(1, False, V2)
    timeline.note(1, CHAMPION, WITHDRAWN, V2, "it fails on every click")
    assert read_pin(spark, table, 1) is None
    assert open_timeline().model_for(1, True, V1) == V1
    pin = read_pin(spark, table, 1)
    assert pin is not None
    assert pin.version == "1"


REMOTE = Connection("http://m/", "inputs", "X-V", rows=1, concurrency=1, attempt_s=1, deadline_s=1)


def test_endpoint_that_has_another_version_now_scores_a_micro_batch_that_nothing_is_written_of(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    now = replace(V2, connection=REMOTE)
    open_timeline().model_for(0, False, replace(V1, connection=REMOTE))
    assert open_timeline().model_for(1, True, now) == now
    assert open_timeline().model_for(1, True, now) == now
    assert rows(spark, table) == [
        (0, "champion", "scores", "1"), (1, "champion", "withdrawn", "1"), (1, "champion", "scores", "2"),
    ]  # fmt: skip
    [withdrawn] = table.read(spark).where("event = 'withdrawn'").collect()
    assert withdrawn.reason == "the endpoint answers with m version 2 now"


def test_endpoint_that_has_another_version_now_does_not_change_who_has_scored_what_is_written(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    now = replace(V2, connection=REMOTE)
    open_timeline().model_for(0, False, replace(V1, connection=REMOTE))
    restarted = open_timeline()
    assert restarted.model_for(0, True, now, is_written=True) == now
    assert restarted.model_for(1, False, now) == now
    assert rows(spark, table) == [(0, "champion", "scores", "1"), (1, "champion", "scores", "2")]


def test_challenger_is_written_down_beside_the_champion(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    timeline = open_timeline()
    timeline.model_for(0, False, V1)
    for batch in (0, 1):
        timeline.challenge(batch, V2)
    open_timeline().challenge(2, V2)
    assert rows(spark, table) == [(0, "champion", "scores", "1"), (0, CHALLENGER, "scores", "2")]
    assert open_timeline().model_for(1, True, V1) == V1


def test_version_whose_files_were_changed_since_it_was_at_work_is_refused(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    open_timeline().model_for(0, False, V1)
    changed = replace(V1, digest="e" * 64)
    with pytest.raises(UntrustedModelError, match="The files of an active version were changed"):
        open_timeline().model_for(1, False, changed)


def test_notes_are_no_micro_batches_of_the_stream(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    open_timeline().note(7, CHAMPION, REFUSED, V2, "no")
    assert last_batch(spark, table, "s") == -1


def test_promise_is_read_by_micro_batch_and_not_by_the_clock(
    spark: SparkSession, table: Table, open_timeline: Callable[[], Timeline[ModelVersion]]
) -> None:
    open_timeline().model_for(2, False, V1)
    # A second driver, whose clock is an hour behind.
    behind = table.read(spark).withColumns({"from_batch": F.lit(3).cast("bigint"), "model_version": F.lit("2"),
                                            "pinned_at": F.expr("pinned_at - INTERVAL 1 HOUR")})  # fmt: skip
    behind.write.format("delta").mode("append").save(table.location)
    pin = read_pin(spark, table, 3)
    assert pin is not None
    assert pin.version == "2"
