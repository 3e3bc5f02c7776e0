"""Rows too many that have no key: of refused records, and of micro-batches that were never planned."""

import json
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from clickscore.reconciliation import surplus_rows
from clickscore.storage.table import Table

PARTS = """source STRING, batch_id BIGINT, is_gone BOOLEAN, duplicates BIGINT, accepted BIGINT, holes BIGINT,
           refused BIGINT, unexplained BIGINT, first_unexplained STRING"""
REFUSED = "source STRING, batch_id BIGINT, refused_rows BIGINT"


@pytest.fixture
def parts(spark: SparkSession) -> DataFrame:
    rows = [
        ("whole", 0, False, 0, 0, 0, 2, 0, None), ("twice", 0, False, 0, 0, 0, 1, 3, "c1"),
        ("copied", 0, False, 1, 0, 0, 0, 0, None), ("gone", 0, True, 0, 0, 0, 0, 0, None),
    ]  # fmt: skip
    return spark.createDataFrame(rows, PARTS)


def counts(frame: DataFrame | None) -> dict[tuple[str, int], int]:
    return {} if frame is None else {(row.source, row.batch_id): row.surplus for row in frame.collect()}


def test_refused_row_needs_a_record_that_is_missing(spark: SparkSession, parts: DataFrame) -> None:
    rows = [("whole", 0, 2), ("twice", 0, 2), ("copied", 0, 1), ("gone", 0, 5), ("whole", 1, 1), ("running", -9, 4)]
    found = surplus_rows.without_record(parts, spark.createDataFrame(rows, REFUSED))
    assert counts(found) == {("twice", 0): 1, ("whole", 1): 1}
    added = surplus_rows.add(parts, found)
    told = {(row.source, row.batch_id): (row.unexplained, row.refused, row.is_gone) for row in added.collect()}
    assert told == {
        ("whole", 0): (0, 2, False), ("twice", 0): (4, 1, False), ("copied", 0): (0, 0, False),
        ("gone", 0): (0, 0, True), ("whole", 1): (1, 0, False),
    }  # fmt: skip
    assert surplus_rows.without_record(parts, spark.createDataFrame(rows[:1], REFUSED)) is None


def test_row_of_a_micro_batch_is_only_too_many_where_nobody_has_planned_it(spark: SparkSession, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    for log, batches in (("offsets", 3), ("commits", 2)):
        (checkpoint / log).mkdir(parents=True)
        for batch in range(batches):
            (checkpoint / log / str(batch)).write_text("v1")
    (checkpoint / "metadata").write_text(json.dumps({"id": "stream-1"}))
    tables = Table(str(tmp_path / "scored")), Table(str(tmp_path / "rejected"))
    schema = "source STRING, batch_id BIGINT"
    for table, rows in zip(tables, ([("a", 1), ("a", 2), ("b", 3)], [("b", 3), ("b", 7), ("a", -9)]), strict=True):
        table.append(spark.createDataFrame(rows, schema))
    assert counts(surplus_rows.of_no_batch(spark, tables, str(checkpoint), 1)) == {("b", 3): 2, ("b", 7): 1}
    (checkpoint / "offsets" / "7").write_text("v1")
    assert surplus_rows.of_no_batch(spark, tables, str(checkpoint), 1) is None
    assert surplus_rows.of_no_batch(spark, tables, str(checkpoint), 7) is None
