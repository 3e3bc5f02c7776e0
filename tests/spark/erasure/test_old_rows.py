"""Which rows are too old, how many there are of each source and micro-batch, and what a plan of them means later."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from clickscore.config.retention import Retention
from clickscore.erasure.old_rows import Rule, as_planned, count_old, planned_rows, rules, too_far_behind
from clickscore.storage.schemas import FIRST_CHUNK
from clickscore.storage.table import Table

OLD, NEW = (datetime(2026, month, 1, tzinfo=timezone.utc) for month in (1, 3))
CUT = datetime(2026, 2, 1, 0, 0, 0, 123_456, timezone.utc)
DAY_MS = 86_400_000
PLAN = "older_than TIMESTAMP, batch_id BIGINT, replay_id BIGINT"
REJECTED = Rule("rejected", Table("out/rejected_clicks"), "received_at", 90 * DAY_MS)


def rejected(spark: SparkSession, folder: Path, *rows: tuple[int, datetime, str, int | None]) -> DataFrame:
    """Write rows into two files, the even micro-batches into the first."""
    schema = "source STRING, batch_id BIGINT, received_at TIMESTAMP, reason STRING, replay_id BIGINT"
    for number in range(2):
        mine = [("f", *row) for row in rows if row[0] % 2 == number]
        spark.createDataFrame(mine, schema).coalesce(1).write.format("delta").mode("append").save(str(folder))
    return Table(str(folder)).read(spark)


def test_old_rows_are_counted_by_micro_batch_and_replay_and_files_that_were_rejected_stay(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = rejected(
        spark, tmp_path / "rejected", (0, OLD, "missing_field", None), (0, OLD, "wrong_type", 3),
        (0, OLD, "missing_field", None), (1, NEW, "missing_field", None), (2, OLD, "unreadable_file", None),
        (4, OLD, "missing_field", None), (FIRST_CHUNK + 1, OLD, "missing_field", None),
    )  # fmt: skip
    counts = count_old(REJECTED, rows, CUT, last_done=3).localCheckpoint()
    assert counts.select("file").distinct().count() == 2
    planned = as_planned(counts).orderBy("batch_id", "replay_id")
    assert [tuple(row) for row in planned.drop("older_than").collect()] == [
        ("rejected_clicks", "f", FIRST_CHUNK + 1, None, 1), ("rejected_clicks", "f", 0, None, 2),
        ("rejected_clicks", "f", 0, 3, 1),
    ]  # fmt: skip
    gone = rows.where(planned_rows(REJECTED, planned, rows.columns))
    assert sorted(row.batch_id for row in gone.collect()) == [FIRST_CHUNK + 1, 0, 0, 0]


@pytest.mark.parametrize(("planned_replay", "gone"), [(None, [None]), (3, [None, 2, 3])])
def test_row_that_a_replay_has_resolved_after_the_plan_stays(
    spark: SparkSession, planned_replay: int | None, gone: list[int | None]
) -> None:
    plan = spark.createDataFrame([(CUT, 0, planned_replay)], PLAN)
    rows = spark.createDataFrame(
        [(OLD, 0, "wrong_type", replay) for replay in (None, 2, 3, 4)],
        "received_at TIMESTAMP, batch_id BIGINT, reason STRING, replay_id BIGINT",
    )
    found = rows.where(planned_rows(REJECTED, plan, rows.columns)).collect()
    assert [row.replay_id for row in found] == gone
    assert rows.drop("replay_id").where(planned_rows(REJECTED, plan, ["received_at"])).count() == 4


def test_plan_does_not_mean_rows_that_came_after_it(spark: SparkSession) -> None:
    clicks = Rule("scored", Table("out/scored_clicks"), "at", 90 * DAY_MS)
    plan = [(CUT, batch, None) for batch in (2, 5, -1, -2, FIRST_CHUNK, FIRST_CHUNK + 1)]
    condition = planned_rows(clicks, spark.createDataFrame(plan, PLAN), ["at", "batch_id"])
    batches = [1, 2, 5, 6, -1, -3, FIRST_CHUNK + 1, FIRST_CHUNK + 2]
    ages = [(OLD, batch) for batch in batches] + [(NEW, 2), (CUT, 5), (CUT - timedelta(microseconds=1), 5)]
    rows = spark.createDataFrame(ages, "at TIMESTAMP, batch_id BIGINT")
    assert sorted(row.batch_id for row in rows.where(condition).collect()) == [FIRST_CHUNK + 1, -1, 2, 5, 5]


def test_outcomes_are_counted_as_a_whole(spark: SparkSession, tmp_path: Path) -> None:
    outcomes = Rule("outcomes", Table("out/outcomes"), "until", 90 * DAY_MS, is_counted=False)
    frame = spark.createDataFrame([("v1", OLD), ("v2", OLD), ("v3", NEW)], "unit_id STRING, until TIMESTAMP")
    frame.coalesce(1).write.format("delta").save(f"{tmp_path}/outcomes")
    rows = Table(f"{tmp_path}/outcomes").read(spark)
    planned = as_planned(count_old(outcomes, rows, CUT, last_done=-1)).localCheckpoint()
    [row] = planned.collect()
    assert (row.table_name, row.source, row.batch_id, row.replay_id, row.rows) == ("outcomes", None, None, None, 2)
    assert sorted(row.unit_id for row in rows.where(planned_rows(outcomes, planned, rows.columns)).collect()) == [
        "v1",
        "v2",
    ]


def test_each_table_has_the_time_from_which_on_its_rows_are_kept(shop: Any) -> None:
    kept = Retention.model_validate({"scored": "400 days", "outcomes": "500 days"})
    found = {rule.name: (rule.time, rule.kept_ms) for rule in rules(shop.config.model_copy(update={"retention": kept}))}
    assert found == {
        "scored_clicks": ("at", 400 * DAY_MS), "rejected_clicks": ("received_at", None),
        "outcomes": ("until", 500 * DAY_MS),
    }  # fmt: skip
    assert not any(rule.kept_ms for rule in rules(shop.config))


def test_stream_that_is_behind_by_as_much_as_rows_are_kept_is_told() -> None:
    assert too_far_behind(REJECTED, 7, timedelta(days=89.9)) is None
    told = "retention.rejected: expected more than the stream is behind, found 90 days with micro-batch 7 90 days, "
    assert (too_far_behind(REJECTED, 7, timedelta(days=90)) or "").startswith(told)
