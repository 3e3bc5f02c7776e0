"""Files of a real table."""

from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.storage.table import Table
from clickscore.storage.table_files import measure


def test_files_of_the_newest_version_are_counted_and_the_small_ones_among_them(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = Table(str(tmp_path / "numbers"))
    for rows in (5, 100_000):
        spark.range(rows).coalesce(1).write.format("delta").mode("append").save(table.location)
    sizes = sorted(file.stat().st_size for file in (tmp_path / "numbers").glob("*.parquet"))
    assert measure(spark, table, small_bytes=sizes[1]) == (2, sum(sizes), 1, sizes[0])
    spark.sql(f"DELETE FROM {table.sql_name}")
    assert measure(spark, table, small_bytes=1) == (0, 0, 0, 0)
