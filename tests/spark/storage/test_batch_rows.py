from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from clickscore.storage.batch_rows import BatchRows, read_batch_rows
from clickscore.storage.table import Table, of_batch

SCHEMA = T.StructType([T.StructField("id", T.StringType()), T.StructField("batch_id", T.LongType())])


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    """Two micro-batches in two commits, each with a file of its own."""
    table = Table(str(tmp_path / "clicks"))
    table.create(spark, SCHEMA, ["batch_id"], {})
    for batch in (6, 7):
        rows: DataFrame = spark.createDataFrame([("a", batch), ("b", batch)], SCHEMA).coalesce(1)
        table.append(rows, of_batch("s", batch))
    return table


@pytest.fixture
def without_retention(spark: SparkSession) -> Iterator[None]:
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    yield
    spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")


def ids(found: BatchRows) -> list[str]:
    return sorted(row.id for row in found.rows.collect())


@pytest.mark.usefixtures("without_retention")
def test_rows_are_found_in_other_files_than_those_of_the_commit(spark: SparkSession, table: Table) -> None:
    spark.sql(f"OPTIMIZE {table.sql_name}")
    spark.sql(f"VACUUM {table.sql_name} RETAIN 0 HOURS")
    found = read_batch_rows(spark, table, "s", 7)
    assert (ids(found), found.is_whole) == (["a", "b"], True)


def test_row_that_was_deleted_since_is_still_one_of_the_micro_batch(spark: SparkSession, table: Table) -> None:
    spark.sql(f"DELETE FROM {table.sql_name} WHERE id = 'a'")
    found = read_batch_rows(spark, table, "s", 7)
    assert (ids(found), found.is_whole) == (["a", "b"], True)


@pytest.mark.usefixtures("without_retention")
@pytest.mark.parametrize(
    "change", ["DELETE FROM {} WHERE id = 'a'", "UPDATE {} SET id = 'b' WHERE id = 'a'", "INSERT OVERWRITE {} TABLE {}"]
)
def test_rows_that_were_changed_before_their_files_were_removed_are_not_whole(
    spark: SparkSession, table: Table, change: str
) -> None:
    spark.sql(change.replace("{}", table.sql_name))
    spark.sql(f"VACUUM {table.sql_name} RETAIN 0 HOURS")
    found = read_batch_rows(spark, table, "s", 7)
    assert not found.is_whole
    assert "b" in ids(found)


def test_micro_batch_without_a_commit_of_its_own_has_the_rows_that_are_there(spark: SparkSession, table: Table) -> None:
    assert ids(read_batch_rows(spark, table, "another stream", 7)) == ["a", "b"]
    assert ids(read_batch_rows(spark, table, "s", 8)) == []
