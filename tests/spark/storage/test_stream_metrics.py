from dataclasses import replace
from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.monitoring.batch_metrics import row_of
from clickscore.monitoring.report import Report
from clickscore.storage.stream_metrics import STREAM_METRICS, KeptRows, as_frame

DONE = Report(7, 20, 15, 1, 2, 0.7, None, "shop", "3")

YEAR_20000_US = 568_971_820_800_000_000
"""Spark has it; Python's times end with the year 9999."""


def test_kept_rows_come_back_in_their_order_without_one_that_was_cut_off(spark: SparkSession, tmp_path: Path) -> None:
    kept = KeptRows.of(spark, str(tmp_path))
    assert kept.read() == []
    eighth, ninth, tenth = (row_of(replace(DONE, batch_id=number), {}, None) for number in (8, 9, 10))
    for row in (tenth, ninth, eighth):
        kept.add(row)
    kept.add(ninth | {"read": 2})  # once more, in the place of the first
    (tmp_path / "clickscore-metrics" / "11.json").write_text('{"batch_id": 11, "re')
    assert kept.read() == [eighth, ninth | {"read": 2}, tenth]
    kept.remove([8, 9])
    assert kept.read() == [tenth]


def test_kept_row_without_a_value_that_the_table_needs_holds_up_no_other(spark: SparkSession, tmp_path: Path) -> None:
    kept, row = KeptRows.of(spark, str(tmp_path)), row_of(DONE, {}, None)
    kept.add(row)
    kept.add({"batch_id": 6, "read": 1})  # as an earlier version wrote it
    kept.add(row | {"batch_id": 8, "finished_at": None})
    (tmp_path / "clickscore-metrics" / "9.json").write_text('{"read": 1}')
    assert kept.read() == [row]


def test_rows_become_those_of_the_table(spark: SparkSession) -> None:
    done = Report(7, 20, 15, 1, 2, 0.7, YEAR_20000_US, "shop", "3", by_reason={"tombstone": 1}, phases={"score": 0.6})
    drift = {
        "score_histogram": [15, 0],
        "feature_histograms": {"price": [9, 6]},
        "baseline": "{}",
        "drifted": ["price"],
    }
    frame = as_frame(spark, [row_of(done, {"colour": 2}, None, drift), row_of(done, {}, 1.5)])
    assert [(field.name, field.dataType) for field in frame.schema] == [
        (field.name, field.dataType) for field in STREAM_METRICS
    ]
    first, second = frame.selectExpr("*", "unix_micros(newest_event_at) AS newest").drop("newest_event_at").collect()
    assert (first.read, first.rejected_by_reason, first.unknown_fields) == (20, {"tombstone": 1}, {"colour": 2})
    assert first.phase_seconds == {"batch": 0.7, "score": 0.6}
    assert first.newest == YEAR_20000_US
    assert (first.finished_at - first.began_at).total_seconds() == 0.7
    assert {name: first[name] for name in drift} == drift
    assert {second[name] for name in drift} == {None}
    assert [first.cpu_seconds, second.cpu_seconds] == [None, 1.5]
