from pathlib import Path

import deltalake
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.errors import TableError
from clickscore.tables import STREAM_PROPERTY, Table, of_batch

SCHEMA = T.StructType(
    [T.StructField("id", T.StringType(), False, {"comment": "who"}), T.StructField("batch_id", T.LongType())]
)


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    table = Table(str(tmp_path / "clicks"))
    table.create(spark, SCHEMA, ["batch_id"], {STREAM_PROPERTY: "stream-1"})
    return table


def test_path_and_catalog_name_are_told_apart() -> None:
    assert [Table(name).is_path for name in ("out/clicks", "s3://bucket/clicks", "./clicks", "/clicks")] == [True] * 4
    assert [Table(name).is_path for name in ("clicks", "shop.clicks", "main.shop.clicks")] == [False] * 3


def test_timeline_stands_beside_the_scored_clicks() -> None:
    assert Table("out/scored").beside("model_timeline") == Table("out/model_timeline")
    assert Table("main.shop.scored").beside("model_timeline") == Table("main.shop.model_timeline")
    assert Table("scored").beside("model_timeline") == Table("model_timeline")


def test_created_table_has_comments_statistics_and_its_stream(spark: SparkSession, table: Table) -> None:
    found = table.read(spark).schema
    assert (found["id"].metadata["comment"], found["id"].nullable) == ("who", False)
    assert table.stream(spark) == "stream-1"
    properties = deltalake.DeltaTable(table.name).metadata().configuration
    assert properties["delta.dataSkippingStatsColumns"] == "batch_id"
    assert properties["delta.checkpointInterval"] == "50"


def test_table_that_exists_is_bound_and_keeps_its_rows(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "own"))
    spark.createDataFrame([("a", 1)], SCHEMA).write.format("delta").save(table.name)
    assert table.stream(spark) is None
    table.create(spark, SCHEMA, ["batch_id"], {STREAM_PROPERTY: "stream-1"})
    assert table.stream(spark) == "stream-1"
    assert table.read(spark).count() == 1


def test_same_transaction_is_appended_once(spark: SparkSession, table: Table) -> None:
    for batch_id in (0, 0, 1, 0):
        table.append_once(spark.createDataFrame([("a", batch_id)], SCHEMA), "app", batch_id, {})
    assert sorted(row.batch_id for row in table.read(spark).collect()) == [0, 1]


def test_last_batch_of_the_stream_is_found_behind_the_commits_of_others(spark: SparkSession, table: Table) -> None:
    assert table.last_batch(spark, "stream-1") == -1
    table.append(spark.createDataFrame([("a", 4)], SCHEMA), of_batch("stream-1", 4))
    spark.createDataFrame([("b", 9)], SCHEMA).write.format("delta").mode("append").save(table.name)
    assert table.last_batch(spark, "stream-1") == 4
    assert table.last_batch(spark, "stream-2") == -1


def test_folder_with_other_files_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("x")
    with pytest.raises(TableError, match="holds files, but is no Delta table"):
        Table(str(tmp_path / "notes")).check(spark, SCHEMA)
    (tmp_path / "empty").mkdir()
    Table(str(tmp_path / "empty")).check(spark, SCHEMA)
