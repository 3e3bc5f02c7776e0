"""The deletion of rows beside a stream that appends without a pause, and beside a reader of the table."""

import threading
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame

from clickscore.erasure import deletion
from clickscore.errors import ErasureError
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.table import Table, of_batch

LATER = 2
"""Micro-batches that the tables of the site do not have yet."""


def test_stream_is_never_disturbed_and_the_rows_go_between_two_of_its_appends(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = Table(f"{site.home}/scored_clicks")
    rows = scored.read(site.spark).where("id IN ('c1', 'c3')").localCheckpoint()
    appended: list[int] = []
    enough, whole = threading.Event(), deletion._merge

    def stream() -> None:
        session = site.spark.newSession()  # as another process has; the settings of the erasure are not for its commits
        batch = session.createDataFrame(rows.collect(), rows.schema)
        while not enough.is_set():
            appended.append(LATER + len(appended))
            scored.append(
                batch.selectExpr("* EXCEPT (batch_id)", f"{appended[-1]}L AS batch_id"), of_batch("s", appended[-1])
            )

    def merge(*arguments: Any) -> None:
        try:
            whole(*arguments)
        except SPARK_ERRORS:  # an append of the stream came in between
            if not failing_for_good:
                enough.set()
            raise

    monkeypatch.setattr(deletion, "_merge", merge)
    beside, failing_for_good = threading.Thread(target=stream), [True]
    beside.start()
    with monkeypatch.context() as patch:
        patch.setattr(deletion, "CONFLICT_LIMIT_S", 0)
        with pytest.raises(
            ErasureError, match=r"DELTA_CONCURRENT_APPEND.*Request 1 is planned and not done: .* the same ids"
        ):
            site.erase(site.GONE)
    failing_for_good.clear()
    said = site.erase(site.GONE)
    enough.set()
    beside.join()
    assert "Request 1 had ended before it was done; it is finished now." in said
    ids = site.table("scored_clicks").query(f"batch_id < {LATER}")["id"]
    assert sorted(ids) == ["c3", "c7", "c8"]
    later = site.table("scored_clicks").query(f"batch_id >= {LATER}")
    assert (later["id"] == "c3").sum() == len(appended)
    assert scored.last_batch(site.spark, "s") == appended[-1]


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
