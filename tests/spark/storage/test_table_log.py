"""The log of a real table."""

import os
import time
from pathlib import Path

import deltalake
import pytest
from pyspark.sql import SparkSession

from clickscore.storage import table_log
from clickscore.storage.table import Table

INTERVAL = 5
DAY_S = 86_400
DAY = {"delta.deletedFileRetentionDuration": "interval 1 day", "delta.logRetentionDuration": "interval 1 day"}
"""Delta refuses a log that reaches back less far than the files."""


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    """Twelve commits, with checkpoints at versions 5 and 10; those before version 8 are two days old."""
    table = Table(str(tmp_path / "numbers"))
    spark.range(0).write.format("delta").option("delta.checkpointInterval", INTERVAL).save(table.location)
    for number in range(11):
        table.append(spark.range(number, number + 1))
    for file in log(table).iterdir():
        if file.stem[:20].isdecimal() and int(file.stem[:20]) < 8:
            os.utime(file, (time.time() - 2 * DAY_S + int(file.stem[:20]),) * 2)  # each later than the one before
    return table


def log(table: Table) -> Path:
    return Path(table.location, "_delta_log")


def versions(table: Table) -> list[int]:
    return sorted(int(file.stem) for file in log(table).glob("*.json") if file.stem.isdecimal())


def test_old_commits_go_that_no_newer_version_needs(spark: SparkSession, table: Table) -> None:
    assert table_log.trim(spark, table) == (12, 12)  # Delta keeps 30 days
    table.set_properties(spark, DAY)
    assert table_log.count_commits(spark, table) == 13
    assert table_log.trim(spark, table) == (13, 8)
    assert versions(table) == list(range(5, 13))  # from the checkpoint on that the version of yesterday needs
    assert table.read(spark).count() == 11
    assert table.read(spark, 8).count() == 8
    assert deltalake.DeltaTable(table.location).to_pyarrow_table().num_rows == 11
    table.append(spark.range(1))
    assert table.read(spark).count() == 12


def test_log_without_a_checkpoint_stays_whole(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "few"))
    for _ in range(2):
        table.append(spark.range(1))
    for file in log(table).iterdir():
        if file.suffix == ".json":
            os.utime(file, (time.time() - 2 * DAY_S,) * 2)
    table.set_properties(spark, DAY)
    assert table_log.trim(spark, table) == (3, 3)
    assert table.read(spark).count() == 2


def test_log_is_kept_as_long_as_the_table_says(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "numbers"))
    table.append(spark.range(1))
    assert table_log.kept(spark, table) == "30 days"
    table.set_properties(spark, DAY)
    assert table_log.kept(spark, table) == "1 day"
