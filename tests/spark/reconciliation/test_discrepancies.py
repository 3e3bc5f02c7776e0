from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.reconciliation import discrepancies

KEYED = "source STRING, batch_id BIGINT, key BIGINT, label STRING"
HELD = "source STRING, batch_id BIGINT, records BIGINT, held_sum BIGINT, is_gone BOOLEAN, is_rewritten BOOLEAN"


def keyed(spark: SparkSession, *rows: tuple[str, int, int]) -> DataFrame:
    return spark.createDataFrame([(*row, f"c{row[2]}") for row in rows], KEYED)


def held(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    return spark.createDataFrame(list(rows), HELD)


def differing(spark: SparkSession, parts: DataFrame) -> list[str]:
    return [row.source for row in parts.where("differs").orderBy("source").collect()]


def test_part_differs_by_number_by_sum_and_by_being_on_one_side_only(spark: SparkSession) -> None:
    rows = discrepancies.count_rows(
        keyed(spark, ("same", 0, 1), ("fewer", 0, 1), ("other", 0, 1), ("other", 0, 1), ("no record", 0, 1),
              ("number only", 0, 9), ("gone", 0, 1)),
        keyed(spark, ("same", 0, 2)),
    )  # fmt: skip
    sources = held(
        spark, ("same", 0, 2, 3, False, False), ("fewer", 0, 2, 3, False, False), ("other", 0, 2, 3, False, False),
        ("no row", 0, 1, 1, False, False), ("empty", 0, 0, 0, False, False), ("number only", 0, 1, None, False, False),
        ("gone", 0, 0, 0, True, False),
    )  # fmt: skip
    parts = discrepancies.compare(sources, rows)
    assert differing(spark, parts) == ["fewer", "no record", "no row", "other"]
    same = parts.where("source = 'same'").select("records", "scored", "rejected").collect()[0]
    assert tuple(same) == (2, 1, 1)


def test_row_of_another_micro_batch_is_another_part(spark: SparkSession) -> None:
    rows = discrepancies.count_rows(keyed(spark, ("a", 1, 1)), keyed(spark))
    parts = discrepancies.compare(held(spark, ("a", 0, 1, 1, False, False)), rows)
    assert parts.where("differs").count() == 2


def test_differences_are_told_apart(spark: SparkSession) -> None:
    records = keyed(spark, ("a", 0, 1), ("a", 0, 2), ("a", 0, 2), ("a", 0, 3))
    rows = keyed(spark, ("a", 0, 1), ("a", 0, 1), ("a", 0, 2), ("a", 0, 4), ("a", 0, 3))
    found = discrepancies.differences(records, rows).select("label", "missing", "twice", "unexplained").orderBy("label")
    assert [tuple(row) for row in found.collect()] == [("c1", 0, 1, 0), ("c2", 1, 0, 0), ("c4", 0, 0, 1)]


def test_missing_record_is_a_duplicate_if_its_id_is_in_a_table(spark: SparkSession) -> None:
    found = discrepancies.differences(keyed(spark, ("a", 0, 1), ("a", 0, 1), ("a", 0, 2)), keyed(spark))
    seen = keyed(spark, ("b", 0, 1), ("c", 0, 1))
    sums = discrepancies.sum_up(discrepancies.settle_duplicates(found, seen)).collect()[0]
    assert (sums.duplicates, sums.missing, sums.first_missing, sums.last_missing) == (2, 1, "c2", "c2")


@pytest.mark.parametrize(("records", "scored", "expected"), [(3, 1, (2, 0, 0)), (1, 3, (0, 2, 0)), (0, 3, (0, 0, 3))])
def test_numbers_alone_tell_how_many(spark: SparkSession, records: int, scored: int, expected: tuple[int, ...]) -> None:
    rows = discrepancies.count_rows(keyed(spark, *[("a", 0, n) for n in range(scored)]), keyed(spark))
    parts = discrepancies.compare(held(spark, ("a", 0, records, None, False, False)), rows)
    found = discrepancies.count_differences(parts).collect()[0]
    assert (found.missing, found.twice, found.unexplained) == expected


def test_micro_batch_counts_rows_of_sources_that_are_gone_apart(spark: SparkSession) -> None:
    rows = discrepancies.count_rows(keyed(spark, ("a", 0, 1), ("gone", 0, 2), ("gone", 0, 3)), keyed(spark))
    parts = discrepancies.compare(held(spark, ("a", 0, 1, 1, False, False), ("gone", 0, 0, 0, True, False)), rows)
    batch = discrepancies.by_batch(discrepancies.with_differences(parts, None)).collect()[0]
    assert (batch.records, batch.scored, batch.unchecked) == (1, 1, 2)


def test_replay_matches_row_by_row_and_source_by_source(spark: SparkSession) -> None:
    scored = keyed(spark, ("a", -1, 1), ("a", -2, 5), ("b", -3, 6), ("a", -5, 8))
    rejected = keyed(spark, ("a", -1, 1), ("a", -2, 6), ("a", -3, 6), ("a", -4, 7))
    found = discrepancies.unfinished_replays(scored, rejected).orderBy("replay_id")
    assert [tuple(row)[:3] for row in found.collect()] == [(2, 1, 1), (3, 1, 1), (4, 1, 0), (5, 0, 1)]


def test_replay_whose_rows_were_removed_is_compared_by_the_numbers_that_are_left(spark: SparkSession) -> None:
    scored = keyed(spark, ("a", -2, 1), ("a", -2, 2), ("a", -3, 3), ("a", -4, 4), ("a", -5, 5))
    rejected = keyed(spark, ("a", -2, 1), ("a", -3, 3), ("a", -6, 6))
    gone = [("a", -2, 0, 1), ("a", -3, 1, 1), ("a", -4, 1, 2), ("a", -5, 0, 2), ("a", -6, 1, 1)]
    removed = spark.createDataFrame(gone, "source STRING, batch_id BIGINT, scored_gone BIGINT, rejected_gone BIGINT")
    found = discrepancies.unfinished_replays(scored, rejected, removed).orderBy("replay_id")
    assert [tuple(row)[:3] for row in found.collect()] == [(5, 0, 1), (6, 1, 0)]


def test_sum_of_keys_may_pass_the_end_of_its_type(spark: SparkSession) -> None:
    largest = 2**63 - 1
    rows = discrepancies.count_rows(keyed(spark, ("a", 0, largest), ("a", 0, largest)), keyed(spark))
    assert rows.select(F.col("row_sum")).collect()[0][0] == -2
