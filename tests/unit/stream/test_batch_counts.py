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
