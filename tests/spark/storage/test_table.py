import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T
from tests.support.waiting import held_back, wait_until

from clickscore.errors import TableError
from clickscore.storage.schemas import FINITE_SCORE
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch
from clickscore.storage.transactions import last_batch

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
    assert properties["delta.logRetentionDuration"] == "interval 7 days"


def test_columns_of_all_depths_keep_their_comments_and_their_not_null(spark: SparkSession, tmp_path: Path) -> None:
    inner = T.StructType([T.StructField("x`y", T.IntegerType(), False, {"comment": 'it\'s \\ "odd" ${env:HOME}'})])
    schema = T.StructType(
        [
            T.StructField("nested", inner, False),
            T.StructField(
                "many", T.ArrayType(T.StructType([T.StructField("y", T.DateType())])), True, {"comment": "list"}
            ),
            T.StructField("named", T.MapType(T.StringType(), T.DecimalType(9, 2))),
        ]
    )
    table = Table(str(tmp_path / "deep"))
    table.create(spark, schema, [], {"clickscore.note": "it's one"})
    assert table.read(spark).schema.json() == schema.json()
    assert table.properties(spark)["clickscore.note"] == "it's one"


def test_new_table_refuses_rows_against_its_checks_and_is_one_that_others_can_write(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = Table(str(tmp_path / "scores"))
    schema = T.StructType([T.StructField("id", T.StringType()), T.StructField("score", T.DoubleType())])
    for _ in range(2):  # the second time, all of it is there
        table.create(spark, schema, ["id"], {}, ["id"], FINITE_SCORE)
    assert table.delta(spark).detail().select("clusteringColumns").collect()[0][0] == []
    table.append(spark.createDataFrame([("a", 0.5), ("c", 0.25)], schema))
    for score in (math.nan, math.inf, -math.inf, None):
        with pytest.raises(Exception, match=r"DELTA_VIOLATE_CONSTRAINT_WITH_VALUES.*clickscore_finite_score"):
            table.append(spark.createDataFrame([("b", score)], schema))
    # Others read the table, erase a row, write one, and the constraint holds for them as well.
    other = deltalake.DeltaTable(table.name)
    assert sorted(other.to_pandas()["id"]) == ["a", "c"]
    other.delete("id = 'c'")
    deltalake.write_deltalake(table.name, pa.table({"id": ["d"], "score": [-0.5]}), mode="append")
    with pytest.raises(Exception, match="1 rows failed validation check"):
        deltalake.write_deltalake(table.name, pa.table({"id": ["e"], "score": [math.nan]}), mode="append")
    assert sorted(row.id for row in table.read(spark).collect()) == ["a", "d"]


def test_property_that_spark_takes_for_a_secret_is_read_all_the_same(spark: SparkSession, tmp_path: Path) -> None:
    table, rules = Table(str(tmp_path / "clicks")), '{"page_url": "strip_query", "token": "drop", "password": "hash"}'
    table.create(spark, SCHEMA, [], {STREAM_PROPERTY: "stream-1", "clickscore.privacy": rules})
    found = table.properties(spark)
    assert (found[STREAM_PROPERTY], found["clickscore.privacy"]) == ("stream-1", rules)
    assert found["delta.minWriterVersion"]


def test_table_with_rows_keeps_its_layout(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "scores"))
    schema = T.StructType([T.StructField("id", T.StringType()), T.StructField("score", T.DoubleType())])
    spark.createDataFrame([("a", 0.5)], schema).write.format("delta").save(table.name)
    table.create(spark, schema, ["id"], {STREAM_PROPERTY: "stream-1"}, ["id"], FINITE_SCORE)
    assert table.stream(spark) == "stream-1"
    assert table.delta(spark).detail().select("clusteringColumns").collect()[0][0] == []
    assert not [key for key in table.properties(spark) if key.startswith("delta.constraints")]


def test_table_that_is_not_there_has_no_columns(spark: SparkSession, table: Table, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert table.columns(spark) == ["id", "batch_id"]
    for name in (f"{tmp_path}/empty", f"{tmp_path}/nowhere", "spark_catalog.default.nothing", "nowhere.nothing"):
        assert Table(name).columns(spark) == []


@pytest.mark.parametrize("schema", ["spark_catalog.nowhere", "nowhere", "no-catalog.shop"])
def test_catalog_name_whose_schema_is_not_there_is_refused(spark: SparkSession, schema: str) -> None:
    with pytest.raises(TableError, match=rf"there is no schema {schema}\. Create it with CREATE SCHEMA"):
        Table(f"{schema}.scored").check(spark, SCHEMA)


@pytest.mark.parametrize("name", ["a.b.c.d", "shop..scored", "scored."])
def test_name_that_is_neither_path_nor_catalog_name_is_refused(spark: SparkSession, name: str) -> None:
    with pytest.raises(TableError, match=r"expected a path, which has a slash, or catalog\.schema\.table"):
        Table(name).check(spark, SCHEMA)


@pytest.mark.parametrize(
    ("kind", "made"),
    [("VIEW", "AS SELECT 'a' AS id, 1L AS batch_id"), ("TABLE", "(id STRING, batch_id BIGINT) USING parquet")],
)
def test_name_of_something_else_than_a_delta_table_is_refused(spark: SparkSession, kind: str, made: str) -> None:
    spark.sql(f"CREATE {kind} something_else {made}")
    try:
        with pytest.raises(TableError, match=r"something_else is not a Delta table: .* Name a Delta table"):
            Table("something_else").check(spark, SCHEMA)
    finally:
        spark.sql(f"DROP {kind} something_else")


def test_columns_without_an_order_have_no_minima_and_maxima(spark: SparkSession, tmp_path: Path) -> None:
    schema = T.StructType([*SCHEMA, T.StructField("known", T.BooleanType())])
    table = Table(str(tmp_path / "flags"))
    table.create(spark, schema, ["known", "batch_id"], {}, ["known"])
    properties = deltalake.DeltaTable(table.name).metadata().configuration
    assert properties["delta.dataSkippingStatsColumns"] == "batch_id"


def test_name_in_a_schema_that_is_there_is_free(spark: SparkSession) -> None:
    Table("spark_catalog.default.scored_tomorrow").check(spark, SCHEMA)
    Table("scored_tomorrow").check(spark, SCHEMA)


def test_catalog_name_that_sql_takes_for_a_number_is_quoted(spark: SparkSession) -> None:
    spark.sql("CREATE SCHEMA `2026`")
    try:
        table = Table("spark_catalog.2026.7")
        assert not table.is_path
        table.create(spark, SCHEMA, ["batch_id"], {STREAM_PROPERTY: "stream-1"}, ["batch_id"])
        table.append(spark.createDataFrame([("a", 1)], SCHEMA), of_batch("stream-1", 1))
        assert table.delta(spark).detail().select("clusteringColumns").collect()[0][0] == ["batch_id"]
        assert table.stream(spark) == "stream-1"
        assert table.read(spark).count() == 1
        assert last_batch(spark, table, "stream-1") == 1
    finally:
        spark.sql("DROP SCHEMA `2026` CASCADE")


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


def test_transaction_that_another_one_was_faster_with_meanwhile_changes_nothing(
    spark: SparkSession, table: Table, tmp_path: Path
) -> None:
    table.append(spark.createDataFrame([("a", 0)], SCHEMA))
    begun, go = tmp_path / "begun", tmp_path / "go"

    def slowly(version: int) -> None:
        table.append_once(held_back(spark.createDataFrame([("slow", 1)], SCHEMA), begun, go), "app", version, {})

    for version, expected in ((1, ["a", "fast"]), (3, ["a", "fast", "fast", "slow"])):
        with ThreadPoolExecutor(1) as aside:
            slow = aside.submit(slowly, version)
            try:
                wait_until(begun.exists)
                table.append_once(spark.createDataFrame([("fast", 1)], SCHEMA), "app", 1 if version == 1 else 2, {})
            finally:
                go.touch()
            slow.result()
        assert sorted(row[0] for row in table.read(spark).collect()) == expected
        begun.unlink()
        go.unlink()


def test_last_batch_of_the_stream_is_found_behind_the_commits_of_others(spark: SparkSession, table: Table) -> None:
    assert last_batch(spark, table, "stream-1") == -1
    table.append(spark.createDataFrame([("a", 4)], SCHEMA), of_batch("stream-1", 4))
    spark.createDataFrame([("b", 9)], SCHEMA).write.format("delta").mode("append").save(table.name)
    assert last_batch(spark, table, "stream-1") == 4
    assert last_batch(spark, table, "stream-2") == -1


def test_folder_with_other_files_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("x")
    with pytest.raises(TableError, match="holds files, but is not a Delta table"):
        Table(str(tmp_path / "notes")).check(spark, SCHEMA)
    (tmp_path / "empty").mkdir()
    Table(str(tmp_path / "empty")).check(spark, SCHEMA)
