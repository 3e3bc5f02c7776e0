"""Records that never had a row are told by numbers, where nothing else tells; what was lost stays a finding."""

from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.unwritten import read_unwritten, settle_unwritten
from clickscore.storage.table import Table

METRICS = "batch_id BIGINT, scored BIGINT, rejected BIGINT, duplicates BIGINT"
FOUND = """source STRING, batch_id BIGINT, key BIGINT, accepted BIGINT, duplicates BIGINT, missing BIGINT,
           vanished BIGINT"""
UNWRITTEN = "batch_id BIGINT, copies BIGINT, others BIGINT"
Row = tuple[str, int, int, int, int, int, int]


def settled(spark: SparkSession, rows: list[Row], copies: int, others: int) -> dict[int, tuple[int, int, int, int]]:
    """Return of each key what is missing, vanished, a duplicate and a hole."""
    found = spark.createDataFrame(rows, FOUND)
    told = settle_unwritten(found, spark.createDataFrame([(0, copies, others)], UNWRITTEN)).collect()
    return {row.key: (row.missing, row.vanished, row.duplicates, row.holes) for row in told}


def test_numbers_are_those_of_micro_batches_that_are_known_as_a_whole(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "metrics"))
    assert read_unwritten(spark, table, Range(0, 4, {}), 2, {}) is None
    rows = [(0, 5, 1, None), (1, 5, 0, 2), (2, 5, 0, 1), (3, 7, 1, 3), (4, 7, 0, 0), (4, 7, 0, 0), (5, 1, 1, 1)]
    table.append(spark.createDataFrame(rows, METRICS))

    def numbers(batches: Range, floor: int, offsets: dict[int, int] | None) -> list[tuple[int, ...]]:
        found = read_unwritten(spark, table, batches, floor, offsets)
        assert found is not None
        return [tuple(row) for row in found.orderBy("batch_id").collect()]

    assert numbers(Range(0, 4, {}), 2, {2: 22, 3: 13, 4: 20}) == [(2, 3, 3), (3, 3, 2)]
    assert numbers(Range(0, 4, {}), 2, None) == [(2, 3, 0), (3, 3, 0)]
    assert numbers(Range(4, 6, {}), 6, None) == []  # micro-batch 4 is there twice, and 6 not at all


def test_what_has_vanished_is_a_hole_or_a_duplicate_before_what_is_missing_is_one(spark: SparkSession) -> None:
    rows: list[Row] = [
        ("t-0", 0, 1, 0, 0, 1, 0), ("t-0", 0, 2, 0, 0, 0, 1), ("t-1", 0, 3, 0, 0, 0, 1), ("t-1", 0, 4, 0, 1, 0, 0),
    ]  # fmt: skip
    assert settled(spark, rows, copies=3, others=1) == {
        1: (0, 0, 1, 0), 2: (0, 0, 0, 1), 3: (0, 0, 1, 0), 4: (0, 0, 1, 0),
    }  # fmt: skip
    assert settled(spark, rows, copies=2, others=1)[1] == (1, 0, 0, 0)
    assert settled(spark, rows, copies=1, others=0) == {
        1: (1, 0, 0, 0), 2: (0, 1, 0, 0), 3: (0, 1, 0, 0), 4: (0, 0, 1, 0),
    }  # fmt: skip


def test_loss_that_was_accepted_is_one_of_the_offsets_without_a_row(spark: SparkSession) -> None:
    rows: list[Row] = [("t-0", 0, 1, 1, 0, 0, 0), ("t-0", 0, 2, 0, 0, 0, 1)]
    assert settled(spark, rows, copies=0, others=1)[2] == (0, 1, 0, 0)
    assert settled(spark, rows, copies=0, others=2)[2] == (0, 0, 0, 1)


def test_micro_batch_without_numbers_and_columns_that_are_absent_change_nothing(spark: SparkSession) -> None:
    found = spark.createDataFrame([("f", 7, 1, 2)], "source STRING, batch_id BIGINT, key BIGINT, missing BIGINT")
    [row] = settle_unwritten(found, spark.createDataFrame([(0, 9, 9)], UNWRITTEN)).collect()
    assert (row.missing, row.vanished, row.duplicates, row.holes) == (2, 0, 0, 0)
