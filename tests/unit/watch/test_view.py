from datetime import datetime, timedelta, timezone

from clickscore.report.delta_tables import BatchCommit
from clickscore.watch.live import Live
from clickscore.watch.view import view

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
ROW = {"rejected_by_reason": {"tombstone": 1}, "seconds_behind": 4.0, "model_name": "shop", "model_version": "1"}
ROWS = [ROW, {**ROW, "rejected_by_reason": {"tombstone": 2, "wrong_type": 1}, "model_version": "2"}]


def commit(batch: int, seconds_ago: float, rows: int | None = 100) -> BatchCommit:
    return BatchCommit(batch, NOON - timedelta(seconds=seconds_ago), rows)


def test_stream_without_tables_has_nothing_to_show() -> None:
    found = view(None, None, [], [], None, NOON)
    assert (found.scored, found.rate, found.last_batch, found.commit_age_s, found.lag_s) == (None, 0, None, None, None)


def test_rate_is_that_of_the_last_minute_and_the_newest_micro_batch_has_its_rows_in_both_tables() -> None:
    commits = [commit(8, 2, 590), commit(7, 10, None), commit(6, 70), commit(8, 1.5, 10)]
    found = view(900, 10, commits, [], None, NOON)
    assert (found.rate, found.last_batch, found.last_rows, found.commit_age_s) == (10, 8, 600, 1.5)


def test_commit_of_a_clock_that_is_ahead_is_one_of_now() -> None:
    assert view(1, 0, [commit(1, -5)], [], None, NOON).commit_age_s == 0


def test_newest_metrics_tell_lag_model_and_reasons_where_the_job_does_not_answer() -> None:
    found = view(1, 4, [], ROWS, None, NOON)
    assert (found.lag_s, found.model, found.by_reason) == (4.0, ("shop", "2"), {"tombstone": 3, "wrong_type": 1})
    assert found.status is None


def test_running_job_knows_better() -> None:
    live = Live("behind", 90.0, ("shop", "3"), 5, 7, {"wrong_type": 7})
    found = view(1, 4, [], ROWS, live, NOON)
    assert (found.status, found.lag_s, found.model, found.by_reason) == (
        "behind",
        90.0,
        ("shop", "3"),
        {"wrong_type": 7},
    )
    assert view(1, 4, [], ROWS, Live("starting", None, None, 0, 0), NOON).model == ("shop", "2")


def test_drift_is_what_the_newest_row_of_the_newest_version_knows() -> None:
    rows = [{**ROW, "drifted": ["score"]}, {**ROW, "drifted": ["price"]}, {**ROW, "drifted": None}]
    assert view(1, 4, [], rows, None, NOON).drifted == ["price"]
    assert view(1, 4, [], [*rows, {**ROW, "model_version": "2", "drifted": None}], None, NOON).drifted is None
    assert view(1, 4, [], ROWS, None, NOON).drifted is None
