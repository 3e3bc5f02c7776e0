from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.errors import TableError
from clickscore.storage.constraints import Constraint, check_unconstrained, decidable, read_constraints
from clickscore.storage.schemas import FINITE_SCORE
from clickscore.storage.table import Table

SCHEMA = T.StructType([T.StructField("price", T.DoubleType()), T.StructField("score", T.DoubleType())])


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    table = Table(str(tmp_path / "clicks"))
    table.create(spark, SCHEMA, [], {}, checks=FINITE_SCORE)
    return table


def test_constraints_are_those_that_somebody_has_added(spark: SparkSession, table: Table) -> None:
    assert read_constraints(spark, table) == ()
    spark.sql(f"ALTER TABLE {table.sql_name} ADD CONSTRAINT cheap CHECK (price < 9)")
    assert read_constraints(spark, table) == (Constraint("cheap", "price < 9"),)
    # Spark hides values of properties with `url` in their names.
    spark.sql(f"ALTER TABLE {table.sql_name} ADD CONSTRAINT price_of_url CHECK (price >= 0)")
    assert read_constraints(spark, table) == (
        Constraint("cheap", "price < 9"),
        Constraint("price_of_url", "price >= 0"),
    )


def test_columns_of_limited_length_are_constraints(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "short"))
    spark.sql(f"CREATE TABLE {table.sql_name} (`a.b` VARCHAR(3), code CHAR(2), free STRING) USING delta")
    found = read_constraints(spark, table)
    assert [check.name for check in found] == ["length of a.b", "length of code"]
    texts = [("abc", "xy"), ("abc  ", "x"), (None, None), ("abcd", "xy"), ("abc", "xyz")]
    rows = spark.createDataFrame(texts, "`a.b` STRING, code STRING")
    verdicts = rows.selectExpr(*[f"({check.condition}) AS `{number}`" for number, check in enumerate(found)]).collect()
    assert [tuple(row) for row in verdicts] == [(True, True), (True, True), (True, True), (False, True), (True, False)]


def test_condition_on_a_column_that_the_stream_does_not_write_is_left_to_delta(spark: SparkSession) -> None:
    mine, other = Constraint("mine", "price >= 0"), Constraint("other", "hour BETWEEN 0 AND 23")
    assert decidable(spark, [mine, other], SCHEMA) == (mine,)


def test_table_whose_rows_have_nowhere_else_to_go_must_take_all_of_them(spark: SparkSession, table: Table) -> None:
    check_unconstrained(spark, table, table.found_properties(spark))
    spark.sql(f"ALTER TABLE {table.sql_name} ADD CONSTRAINT cheap CHECK (price < 9)")
    with pytest.raises(TableError, match=r"has constraints: cheap \(price < 9\)\. .* DROP CONSTRAINT"):
        check_unconstrained(spark, table, table.found_properties(spark))
