"""Transactions of a real table."""

from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.storage.table import Table, of_batch
from clickscore.storage.transactions import RUN, newest_transaction, run_of


def test_newest_transaction_outlives_rows_and_history(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "numbers"))
    spark.range(0).write.format("delta").save(table.location)
    assert newest_transaction(spark, table, "app") == 0
    for number in (3, 5, 4):
        table.append_once(spark.range(number), "app", number, {})
    table.append_once(spark.range(1), "other", 9, {})
    spark.sql(f"DELETE FROM {table.sql_name}")
    table.set_properties(spark, {"delta.checkpointInterval": "1"})
    table.append(spark.range(1))  # with a checkpoint, after which the log of the commits before it may go
    for file in (tmp_path / "numbers" / "_delta_log").glob("*[0-5].json"):
        file.unlink()
    assert newest_transaction(spark, table, "app") == 5
    assert newest_transaction(spark, table, "nobody") == 0


def test_run_is_found_that_has_committed_a_batch(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "numbers"))
    table.append(spark.range(1), of_batch("ours", 7))
    assert run_of(spark, table, "ours", 7) is None  # as written by earlier versions
    table.append(spark.range(1), of_batch("ours", 8) | {RUN: "one"})
    table.append(spark.range(1), of_batch("theirs", 8) | {RUN: "two"})
    for _ in range(2):
        table.append(spark.range(1))
    assert run_of(spark, table, "ours", 8) == "one"
    assert run_of(spark, table, "ours", 9) is None
