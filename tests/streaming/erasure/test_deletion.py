"""The deletion of rows beside a stream that appends without a break, and beside a reader of the table."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clickscore.erasure import deletion, retention
from clickscore.errors import ErasureError
from clickscore.reconciliation.replay_commit import Resolution
from clickscore.storage import pause
from clickscore.storage.commit_settings import USER_METADATA, commit_settings
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
    assert "An earlier run ended before request 1 was done; it is finished now." in printed
    assert "warning: the stream waits until this commit is done" in printed
    assert said[0].endswith("waits for another job that changes the tables, 60 s at most")
    ids = site.table("scored_clicks").query(f"batch_id < {LATER}")["id"]
    assert sorted(ids) == ["c3", "c7", "c8"]
    later = site.table("scored_clicks").query(f"batch_id >= {LATER}")
    assert (later["id"] == "c3").sum() == len(appended)
    assert last_batch(site.spark, scored, "s") == appended[-1]


def change_as_replay(site: Any, changes: dict[str, str]) -> None:
    """Change the row of the rejected click c4 in a commit of a replay."""
    rejected = Table(f"{site.home}/rejected_clicks")
    with commit_settings(site.spark, {USER_METADATA: json.dumps({"replay": "1"})}):
        rejected.delta(site.spark).update("raw LIKE '%\"c4\"%'", changes)


def resolve(site: Any) -> None:
    """Do what a replay does to the rejected click c4."""
    scored, rejected = (Table(f"{site.home}/{name}_clicks") for name in ("scored", "rejected"))
    Resolution.of(site.spark, rejected, scored, print).add_columns()
    change_as_replay(site, {"replay_id": "1", "resolved_at": "current_timestamp()"})
    click = scored.read(site.spark).where("id = 'c3'").localCheckpoint()
    changed = {"id": F.lit("c4"), "visitor": F.lit(site.GONE), "batch_id": F.lit(-1).cast("bigint")}
    scored.append(click.withColumns(changed), of_batch("replay", 1))


@pytest.mark.parametrize(
    ("cause", "place", "step"),
    [
        ("erasure", Erasures, "plan"), ("retention", Erasures, "plan"), ("erasure", deletion, "_merge"),
        ("retention", retention, "_delete"),
    ],
)  # fmt: skip
def test_record_that_a_replay_resolves_before_the_deletion_stays_with_its_click_until_the_next_one(
    site: Any, monkeypatch: pytest.MonkeyPatch, cause: str, place: Any, step: str
) -> None:
    # The field of a click may have the name of a column that only rejected records have.
    scored = Table(f"{site.home}/scored_clicks")
    site.spark.sql(f"ALTER TABLE {scored.sql_name} ADD COLUMNS (replay_id BIGINT)")
    scored.delta(site.spark).update(set={"replay_id": "9"})

    def remove() -> str:
        said: str = site.erase(site.GONE) if cause == "erasure" else site.expire({"rejected": "400 days"}, NOW)
        return said

    done, resolved = getattr(place, step), list[bool]()

    def at_that_moment(*arguments: Any) -> Any:
        is_planned = step == "plan"
        result = done(*arguments) if is_planned else None
        if not resolved and (is_planned or "rejected" in str(arguments[1])):
            resolved.append(True)
            resolve(site)
        return result if is_planned else done(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(place, step, at_that_moment)
        remove()
    assert resolved
    assert site.left()[0] == (["c3", "c4", "c7", "c8"] if cause == "erasure" else ["c1", "c2", "c3", "c4", "c7", "c8"])
    assert site.table("rejected_clicks")["replay_id"].dropna().tolist() == [1]
    is_green, report = site.audit()
    assert is_green, report
    remove()
    assert site.table("rejected_clicks")["replay_id"].dropna().empty
    assert ("c4" in site.left()[0]) == (cause == "retention")
    is_green, report = site.audit()
    assert is_green, report


def test_record_that_a_replay_rejects_anew_before_the_deletion_goes(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    merge, changed = deletion._merge, list[bool]()

    def merge_late(*arguments: Any) -> None:
        if not changed and "rejected" in str(arguments[1]):
            changed.append(True)
            change_as_replay(site, {"reason": "'missing_feature'"})
        merge(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(deletion, "_merge", merge_late)
        site.erase(site.GONE)
    assert changed
    assert not [raw for raw in site.table("rejected_clicks")["raw"] if raw and site.GONE in raw]


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
