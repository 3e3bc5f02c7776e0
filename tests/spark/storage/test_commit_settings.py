from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clickscore.storage.commit_settings import USER_METADATA, commit_settings
from clickscore.storage.table import Table


def test_settings_hold_for_the_block_only_also_if_it_fails(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(f"{tmp_path}/numbers")
    with commit_settings(spark, {USER_METADATA: "first"}):
        table.append(spark.range(1))
    with pytest.raises(ZeroDivisionError), commit_settings(spark, {USER_METADATA: "never"}):
        raise ZeroDivisionError
    table.append(spark.range(1))
    said = table.delta(spark).history().select("userMetadata").collect()
    assert [row[0] for row in said] == [None, "first"]
