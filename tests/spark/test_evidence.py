from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.evidence import Rows, read_rows
from clickscore.offsetlog import Planned, Range
from clickscore.tables import Table

ROWS = [("file:/a", -1), ("file:///a", 0), ("file:/b", 1), ("file:/b", 2), ("file:/b", 3)]
"""A replay's row, and those of four micro-batches, the last of which is not done."""


def of(rows: Rows) -> list[list[tuple[str, int]]]:
    return [sorted(map(tuple, table.collect())) for table in (rows.scored, rows.rejected)]


def test_rows_of_the_range_are_looked_at_and_old_ones_count_as_of_the_first_known_plan(
    spark: SparkSession, tmp_path: Path
) -> None:
    tables = [Table(str(tmp_path / name)) for name in ("scored", "rejected")]
    for table in tables:
        spark.createDataFrame(ROWS, "source STRING, batch_id BIGINT").write.format("delta").save(table.name)
    rows = read_rows(spark, *tables, last_done=2)
    assert of(rows) == [[("/a", -1), ("/a", 0), ("/b", 1), ("/b", 2)]] * 2
    log = {1: Planned(0, None), 2: Planned(0, None)}
    assert of(rows.within(Range(0, 2, log), floor=1)) == [[("/a", 1), ("/b", 1), ("/b", 2)]] * 2
