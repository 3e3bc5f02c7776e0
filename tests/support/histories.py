"""Histories of tables that are gone, as after their logs were trimmed."""

from pathlib import Path

import deltalake
from pyspark.sql import SparkSession

from clickscore.storage.table import Table


def forget_history(spark: SparkSession, table: Table) -> None:
    """Remove all commits of a table but one that changes nothing; its rows stay."""
    table.set_properties(spark, {"test.newest": "this commit"})
    found = deltalake.DeltaTable(table.location)
    found.create_checkpoint()
    for file in Path(table.location, "_delta_log").glob("*.json"):
        if int(file.stem) < found.version():
            file.unlink()
