from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.reconciliation.table_commits import earliest_batch, in_order
from clickscore.storage.offset_log import Planned

ACTIONS = (
    "version BIGINT, line INT, is_added BOOLEAN, path STRING, source STRING, is_change BOOLEAN, modified_ms BIGINT, "
    "records BIGINT"
)


def end(version: int, index: int = -1, starting: bool = False) -> dict[str, Any]:
    return {"reservoirVersion": version, "index": index, "isStartingVersion": starting}


def actions(spark: SparkSession, *rows: tuple[int, bool, str, bool, int]) -> Any:
    """Version, whether it is added, path, whether it is a change, and when it was modified; with a record each."""
    filled = [
        (v, line, added, path, f"/t/{path}", change, ms, 1) for line, (v, added, path, change, ms) in enumerate(rows)
    ]
    return spark.createDataFrame(filled, ACTIONS)


def test_stream_reads_the_table_as_it_was_and_then_what_commits_add(spark: SparkSession) -> None:
    log = actions(
        spark, (0, True, "young", True, 20), (0, True, "removed", True, 5), (1, False, "removed", True, 0),
        (1, True, "old", True, 10), (2, True, "b", True, 0), (2, True, "a", True, 0), (3, True, "moved", False, 0),
        (3, False, "old", False, 0), (4, True, "changed", True, 0), (4, False, "young", True, 0),
        (5, True, "c", True, 0),
    )  # fmt: skip
    for first in (end(1, 0, starting=True), end(2)):
        files = in_order(log, first).orderBy("version", "index").collect()
        assert [(row.version, row["index"], row.source) for row in files] == [
            (1, 0, "/t/old"), (1, 1, "/t/young"), (2, 0, "/t/b"), (2, 1, "/t/a"), (5, 0, "/t/c"),
        ]  # fmt: skip
    assert {row.version for row in in_order(log, None).collect()} == {0, 2, 5}


@pytest.mark.parametrize(
    ("ends", "oldest", "expected"),
    [
        ({0: end(3), 1: end(4)}, 0, 0),
        ({0: end(3), 1: end(4), 2: end(6)}, 2, 1),  # The table as it was can no longer be told.
        ({0: end(3), 1: end(4), 2: end(6)}, 4, 2),
        ({0: end(3, 0, starting=True), 1: end(4), 2: end(6)}, 2, 2),
        ({7: end(9), 8: end(10)}, 0, 8),
        ({0: end(3)}, 9, 1),
        ({0: end(3), 1: end(4)}, None, 2),
    ],
)
def test_what_can_be_proven_begins_where_the_log_of_the_source_does(
    ends: dict[int, Any], oldest: int | None, expected: int
) -> None:
    assert earliest_batch({batch: Planned(0, found) for batch, found in ends.items()}, oldest) == expected
