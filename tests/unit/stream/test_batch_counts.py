from typing import Any

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
