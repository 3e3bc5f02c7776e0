from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.expectations import Rows, read_rows
from clickscore.storage.table import Table


def test_rows_of_older_micro_batches_count_as_of_the_floor_and_those_of_replays_not_at_all(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("f", batch) for batch in (-3, 0, 1, 2, 3, 4)], "source STRING, batch_id BIGINT")
    mine = Rows(rows, rows).within(Range(0, 3, {}), 2)
    assert [row.batch_id for row in mine.rejected.orderBy("batch_id").collect()] == [2, 2, 2, 3]


def test_rows_that_the_stream_is_writing_are_left_out_and_paths_are_alike(spark: SparkSession, tmp_path: Path) -> None:
    rows = [("file:/a", 1), ("file:///a", 2), ("file:/a", 3), ("file:/a", -1)]
    table = Table(str(tmp_path / "rows"))
    spark.createDataFrame(rows, "source STRING, batch_id BIGINT").write.format("delta").save(table.location)
    found = read_rows(spark, table, table, 2).scored.collect()
    assert sorted(row.batch_id for row in found) == [-1, 1, 2]
    assert {row.source for row in found} == {"/a"}
