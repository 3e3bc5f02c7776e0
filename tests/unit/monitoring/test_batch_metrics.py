import time
from typing import Any

import pytest

from clickscore.monitoring.batch_metrics import has_batch, row_of, with_progress
from clickscore.monitoring.report import Report
from clickscore.sources import folder, kafka
from clickscore.storage.stream_metrics import STREAM_METRICS

SCORES = 0.4, [0.1, 0.2, 0.3, 0.5, 0.9]
READ, THERE = {"clicks": {"0": 10, "1": 5}}, {"clicks": {"0": 25, "1": 5}}
OFFSETS = {"durationMs": {"addBatch": 700, "walCommit": 20}, "sources": [{"endOffset": READ, "latestOffset": THERE}]}


def report(**found: Any) -> Report:
    return Report(7, 20, 15, 1, 2, 0.7, 1_000, "shop", "3", **found)


def test_row_has_every_column_of_the_table() -> None:
    assert list(row_of(report(), {}, None)) == STREAM_METRICS.names


def test_row_says_what_became_of_the_records_and_how_the_scores_were() -> None:
    done = report(duplicates=4, by_reason={"tombstone": 1}, scores=SCORES, challenger_version="4", sampled=[b"", b""])
    row = row_of(done, {"colour": 2}, 1.5)
    assert [row[name] for name in ("read", "scored", "rejected", "duplicates", "sources")] == [20, 15, 1, 4, 2]
    assert (row["rejected_by_reason"], row["unknown_fields"], row["sampled"]) == ({"tombstone": 1}, {"colour": 2}, 2)
    assert (row["score_mean"], row["score_p05"], row["score_p95"]) == (0.4, 0.1, 0.9)
    assert (row["model_name"], row["model_version"], row["challenger_version"]) == ("shop", "3", "4")
    assert row["cpu_seconds"] == 1.5


def test_row_without_a_score_has_no_mean_and_no_quantiles() -> None:
    row = row_of(report(), {}, None)
    assert {row[name] for name in ("score_mean", "score_p05", "score_p50", "duplicates", "cpu_seconds")} == {None}


def test_row_ends_now_and_tells_how_far_behind_its_newest_record_was() -> None:
    now_us = time.time_ns() // 1_000
    row = row_of(report(arrived_us=now_us - 3_000_000, phases={"score": 0.6}), {}, None)
    assert row["finished_at"] - row["began_at"] == 700_000
    assert row["seconds_behind"] == pytest.approx(3, abs=1)
    assert row["phase_seconds"] == {"batch": 0.7, "score": 0.6}
    assert row_of(report(), {}, None)["seconds_behind"] is None


def test_progress_of_spark_adds_its_durations_and_the_records_that_wait_in_the_topic() -> None:
    row = with_progress(row_of(report(), {}, None), OFFSETS, kafka.reported_ends)
    assert row["phase_seconds"] == {"batch": 0.7, "spark.addBatch": 0.7, "spark.walCommit": 0.02}
    assert row["records_behind"] == 15
    assert with_progress(row, OFFSETS, folder.reported_ends)["records_behind"] is None
    unknown = {**OFFSETS, "sources": [{"endOffset": READ, "latestOffset": None}]}
    assert with_progress(row, unknown, kafka.reported_ends)["records_behind"] is None


def test_trigger_that_found_nothing_new_is_no_micro_batch() -> None:
    assert has_batch(OFFSETS)
    assert not has_batch({"durationMs": {"latestOffset": 3, "triggerExecution": 4}})
