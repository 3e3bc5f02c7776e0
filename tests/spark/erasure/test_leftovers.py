"""What is left of a visitor in the files of a table: in any value, also where a deletion vector hides it."""

import shutil
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clickscore.erasure.leftovers import CLOCKS_APART, Leftovers, look, named_rows
from clickscore.erasure.visitor_rows import OF_SCORED
from clickscore.storage.table import Table

ROWS = """page STRING, tags ARRAY<STRING>, more MAP<STRING, STRUCT<by: STRING>>, source_key BINARY,
          source_headers ARRAY<STRUCT<key: STRING, value: BINARY>>"""

V1 = partial(named_rows, spellings={"v1": 0})


@pytest.mark.parametrize(
    "row",
    [
        ("/p?user=v1", None, None, None, None),
        (None, ["a", "v1"], None, None, None),
        (None, None, {"k": ("v1",)}, None, None),
        (None, None, {"v1": (None,)}, None, None),
        (None, None, None, b"v1", None),
        (None, None, None, None, [("by", b"v1")]),
    ],
)
def test_visitor_is_found_in_any_value(spark: SparkSession, row: tuple[object, ...]) -> None:
    rows = spark.createDataFrame([row, ("v12", ["v11"], {"k": ("v1-2",)}, b"xv1", [("v1x", b"")])], ROWS)
    assert named_rows(rows, {"v1": 0}).count() == 1


def test_what_clickscore_fills_itself_names_nobody_but_any_other_number_may(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(7, 0, "1", 1, 0), (1, 7, "1", 2, 0), (1, 0, "7", 3, 0), (1, 0, "1", 7, 0), (1, 0, "1", 4, 7)],
        "batch_id BIGINT, source_offset BIGINT, model_version STRING, customer BIGINT, replay_id BIGINT",
    )
    assert [row.customer for row in named_rows(rows, {"7": 0}, OF_SCORED).collect()] == [7, 4]


@pytest.mark.parametrize("is_widened", [False, True])
def test_visitor_is_found_in_a_column_that_older_files_do_not_have(
    spark: SparkSession, tmp_path: Path, is_widened: bool
) -> None:
    table = Table(str(tmp_path / "table"))
    spark.sql(
        f"CREATE TABLE {table.sql_name} (visitor STRING, quantity INT, day INT) USING delta PARTITIONED BY (day) "
        f"TBLPROPERTIES ('delta.enableTypeWidening' = 'true')"
    )
    # Spark takes the columns from the first file by name, which is that of the first day.
    table.append(spark.sql("SELECT 'v2' AS visitor, 1 AS quantity, 1 AS day"))
    spark.sql(f"ALTER TABLE {table.sql_name} ADD COLUMNS (friend STRING)")
    if is_widened:
        spark.sql(f"ALTER TABLE {table.sql_name} ALTER COLUMN quantity TYPE BIGINT")
    quantity = "CAST(1 AS BIGINT)" if is_widened else "1"
    table.append(spark.sql(f"SELECT 'v3' AS visitor, {quantity} AS quantity, 2 AS day, 'v1' AS friend"))
    assert look(spark, table, V1, datetime.now(timezone.utc)).rows == 1


def test_files_of_older_versions_and_hidden_rows_are_counted(spark: SparkSession, tmp_path: Path) -> None:
    table, now = Table(f"{tmp_path}/a b/table"), datetime.now(timezone.utc)
    later = now + timedelta(hours=1)
    table.append(spark.createDataFrame([("v1",), ("v2",)], "visitor STRING").coalesce(1))
    assert look(spark, table, V1, later) == Leftovers(version=0, files=1, rows=1, old_files=0)
    spark.sql(f"ALTER TABLE {table.sql_name} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM {table.sql_name} WHERE visitor = 'v1'")
    assert table.read(spark).count() == 1
    hidden = look(spark, table, V1, later)
    assert (hidden.rows, hidden.old_files, hidden.is_none) == (1, 0, False)
    spark.sql(f"REORG TABLE {table.sql_name} APPLY (PURGE)")
    purged = look(spark, table, V1, later)
    assert (purged.rows, purged.old_files, purged.is_none) == (0, 1, False)
    fed = tmp_path / "a b" / "table" / "_change_data"
    fed.mkdir()
    shutil.copy(next(fed.parent.glob("*.parquet")), fed / "cdc.parquet")
    assert look(spark, table, V1, later).old_files == 2
    # The clock of the storage may be ahead.
    assert look(spark, table, V1, datetime.now(timezone.utc) - CLOCKS_APART / 2).old_files == 2
    before = look(spark, table, V1, now - timedelta(hours=1))
    assert before.is_none
