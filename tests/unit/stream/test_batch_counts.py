from typing import Any

from pyspark.sql import Row

from clickscore.stream.batch_counts import BatchCounts

COUNTED: dict[str, Any] = {"read": 10, "duplicates": 2, "rejected": 3, "failed": 1, "newest": None, "arrived": None,
                           "sources": ["f"], "listed": ["a", "b", "c"]}  # fmt: skip


def test_what_is_neither_rejected_nor_a_duplicate_is_scored() -> None:
    counts = BatchCounts.of(COUNTED)
    assert (counts.scored, counts.asked) == (5, 6)


def test_rejected_records_are_complete_only_if_all_of_them_came_along() -> None:
    assert BatchCounts.of(COUNTED).has_all_rejected
    assert not BatchCounts.of({**COUNTED, "rejected": 4}).has_all_rejected
    assert BatchCounts.of({**COUNTED, "rejected": 0, "failed": 0, "listed": None}).has_all_rejected


def test_commonest_cause_is_that_of_the_model_where_it_has_failed() -> None:
    missing, failed = Row(reason="missing_field", detail="id is missing"), Row(reason="scoring_failed", detail="no")
    assert BatchCounts.of({**COUNTED, "listed": [missing, missing, failed]}).cause == "scoring_failed: no"
    assert BatchCounts.of({**COUNTED, "listed": [missing, Row(reason="x", detail=None), missing]}).cause == (
        "missing_field: id is missing"
    )
    assert BatchCounts.of({**COUNTED, "listed": [Row(reason="tombstone", detail=None)]}).cause == "tombstone"
    assert BatchCounts.of({**COUNTED, "listed": []}).cause is None


def test_cause_is_the_commonest_detail_of_the_commonest_reason_and_comes_with_an_example() -> None:
    times = [Row(value=b"%d" % n, reason="invalid_time", detail=f"found {n}") for n in (1, 2, 2)]
    missing = [Row(value=b"m", reason="missing_field", detail="id is missing")] * 2
    counts = BatchCounts.of({**COUNTED, "listed": [*missing, *times]})
    assert (counts.cause, counts.example) == ("invalid_time: found 2", b"2")
    assert BatchCounts.of({**COUNTED, "listed": None}).example is None


def test_rejected_records_are_counted_by_reason_from_those_that_came_along_unless_there_are_more() -> None:
    listed = [Row(reason="tombstone"), Row(reason="tombstone"), Row(reason="wrong_type")]
    assert BatchCounts.of({**COUNTED, "listed": listed}).by_reason == {"tombstone": 2, "wrong_type": 1}
    assert BatchCounts.of({**COUNTED, "listed": listed, "reasons": {"tombstone": 9}}).by_reason == {"tombstone": 9}


def test_scores_are_a_mean_and_quantiles_and_nothing_without_a_scored_click() -> None:
    assert BatchCounts.of({**COUNTED, "mean": 0.5, "quantiles": [0.1, 0.9]}).scores == (0.5, [0.1, 0.9])
    assert BatchCounts.of({**COUNTED, "mean": None, "quantiles": None}).scores is None
