"""The deletion of rows beside a stream that appends without a break, and beside a reader of the table."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clickscore.erasure import deletion
from clickscore.errors import ErasureError
from clickscore.reconciliation.replay_commit import Resolution
from clickscore.storage import pause
from clickscore.storage.erasures import Erasures
from clickscore.storage.pause import Pauses
from clickscore.storage.table import Table, of_batch
from clickscore.storage.transactions import last_batch

NOW = datetime(2101, 6, 1, tzinfo=timezone.utc)
LATER = 2
"""Micro-batches that the tables of the site do not have yet."""


def test_rows_go_beside_a_stream_that_appends_without_a_break_but_waits_when_it_is_asked(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pause, "LOOK_S", 0.0)
    scored = Table(f"{site.home}/scored_clicks")
    rows = scored.read(site.spark).where("id IN ('c1', 'c3')").localCheckpoint()
    appended: list[int] = []
    said: list[str] = []
    enough, hears = threading.Event(), threading.Event()

    def stream() -> None:
        session = site.spark.newSession()  # as another process has; the settings of the erasure are not for its commits
        batch = session.createDataFrame(rows.collect(), rows.schema)
        pauses = Pauses(session, site.config.checkpoint, said.append)
        while not enough.is_set():
            if hears.is_set():
                pauses.look()
                pauses.wait(LATER + len(appended), enough.is_set)
            appended.append(LATER + len(appended))
            scored.append(
                batch.selectExpr("* EXCEPT (batch_id)", f"{appended[-1]}L AS batch_id"), of_batch("s", appended[-1])
            )

    with ThreadPoolExecutor(1) as aside:
        beside = aside.submit(stream)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(deletion, "CONFLICT_LIMIT_S", 0)
                with pytest.raises(
                    ErasureError,
                    match=r"DELTA_CONCURRENT_APPEND.*Request 1 is planned and not done: .* the same ids",
                ):
                    site.erase(site.GONE)
            hears.set()
            printed = site.erase(site.GONE)
        finally:
            enough.set()
        beside.result()
    assert "Request 1 had ended before it was done; it is finished now." in printed
    assert "warning: the stream waits until this commit is done" in printed
    assert said[0].endswith("waits for another job that changes the tables, 60 s at most")
    ids = site.table("scored_clicks").query(f"batch_id < {LATER}")["id"]
    assert sorted(ids) == ["c3", "c7", "c8"]
    later = site.table("scored_clicks").query(f"batch_id >= {LATER}")
    assert (later["id"] == "c3").sum() == len(appended)
    assert last_batch(site.spark, scored, "s") == appended[-1]


@pytest.mark.parametrize("cause", ["erasure", "retention"])
def test_record_that_a_replay_resolves_between_plan_and_deletion_stays_with_its_click_until_the_next_one(
    site: Any, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    def remove() -> str:
        said: str = site.erase(site.GONE) if cause == "erasure" else site.expire({"rejected": "400 days"}, NOW)
        return said

    def replay() -> None:
        scored, rejected = (Table(f"{site.home}/{name}_clicks") for name in ("scored", "rejected"))
        Resolution.of(site.spark, rejected, scored, print).add_columns()
        marks = {"replay_id": "1", "resolved_at": "current_timestamp()"}
        rejected.delta(site.spark).update("raw LIKE '%\"c4\"%'", marks)
        click = scored.read(site.spark).where("id = 'c3'").localCheckpoint()
        changed = {"id": F.lit("c4"), "visitor": F.lit(site.GONE), "batch_id": F.lit(-1).cast("bigint")}
        scored.append(click.withColumns(changed), of_batch("replay", 1))

    plan = Erasures.plan

    def plan_first(*arguments: Any) -> int:
        erasure_id: int = plan(*arguments)
        replay()
        return erasure_id

    with monkeypatch.context() as patch:
        patch.setattr(Erasures, "plan", plan_first)
        remove()
    assert "c4" in site.left()[0]
    assert site.table("rejected_clicks")["replay_id"].dropna().tolist() == [1]
    is_green, report = site.audit()
    assert is_green, report
    remove()
    assert site.table("rejected_clicks")["replay_id"].dropna().empty
    assert ("c4" in site.left()[0]) == (cause == "retention")
    is_green, report = site.audit()
    assert is_green, report


def test_reader_that_skips_changes_goes_on_over_an_erasure(site: Any, tmp_path: Path) -> None:
    scored, read = f"{site.home}/scored_clicks", []

    def keep(rows: DataFrame, _: int) -> None:
        read.append(sorted(row.id for row in rows.select("id").collect()))

    def catch_up() -> None:
        reader = site.spark.readStream.format("delta").option("skipChangeCommits", "true").load(scored)
        writer = reader.writeStream.foreachBatch(keep).option("checkpointLocation", f"{tmp_path}/reader")
        writer.trigger(availableNow=True).start().awaitTermination()

    catch_up()
    site.erase(site.GONE)
    Table(scored).append(Table(scored).read(site.spark).where("id = 'c3'").localCheckpoint())
    catch_up()
    assert read == [["c1", "c2", "c3", "c7", "c8"], ["c3"]]
