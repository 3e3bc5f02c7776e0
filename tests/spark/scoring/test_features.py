import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from clickscore.errors import ConfigError, SignatureError
from clickscore.scoring.features import (
    check_features,
    select_list,
    with_challenger_input,
    with_features,
    with_model_input,
)

INPUTS = T.StructType([T.StructField("b", T.DoubleType()), T.StructField("a", T.LongType(), False)])


def clicks(spark: SparkSession, *rows: tuple[int | None, str | None]) -> DataFrame:
    schema = "n INT, text STRING, _rejection STRUCT<reason: STRING, detail: STRING>"
    return spark.createDataFrame([(*row, None) for row in rows], schema)


def test_select_list_stands_between_select_and_from_click() -> None:
    sql = "-- comment\nselect n AS a, -- FROM click\n  'x -- y' AS b\nFROM click;\n"
    assert select_list(sql, "f.sql").split() == ["n", "AS", "a,", "'x", "--", "y'", "AS", "b"]


@pytest.mark.parametrize(
    "sql", ["", "SELECT n AS a", "SELECT n AS a FROM clicks", "SELECT n AS a FROM click WHERE n > 1"]
)
def test_anything_else_than_one_select_from_click_is_refused(sql: str) -> None:
    with pytest.raises(ConfigError, match="expected SELECT"):
        select_list(sql, "f.sql")


def test_features_are_computed_from_bare_and_qualified_names(spark: SparkSession) -> None:
    featured = with_features(clicks(spark, (2, "x")), " n + 1 AS a, length(click.text) AS b ")
    expected = spark.createDataFrame([(3, 1)], "a INT, b INT")
    assert_df_equality(featured.select("_features.*"), expected, ignore_nullable=True)


def test_model_input_has_exactly_the_types_and_order_of_the_signature(spark: SparkSession) -> None:
    # A whole number above one in a double input is what kills a batch when the cast is left to the model.
    featured = with_features(clicks(spark, (7, "x")), "n AS a, n AS b")
    expected = spark.createDataFrame([(7.0, 7)], "b DOUBLE, a BIGINT")
    assert_df_equality(with_model_input(featured, INPUTS).select("_features.*"), expected, ignore_nullable=True)


def test_null_in_a_required_input_rejects_the_click_and_in_an_optional_one_does_not(spark: SparkSession) -> None:
    featured = with_features(clicks(spark, (None, "x"), (1, None)), "n AS a, length(text) AS b")
    rows = with_model_input(featured, INPUTS).select("_rejection.reason", "_rejection.detail").collect()
    assert [tuple(row) for row in rows] == [("missing_feature", "null, but required: a"), (None, None)]


def test_feature_that_cannot_be_computed_is_null_and_does_not_raise(spark: SparkSession) -> None:
    featured = with_features(clicks(spark, (0, "x")), "n AS a, 1 / n AS b")
    row = with_model_input(featured, INPUTS).select("_features.b").first()
    assert row is not None
    assert row[0] is None
    too_big = with_features(clicks(spark, (1, "x")), "n * 1e30 AS a, n AS b")
    reasons = with_model_input(too_big, INPUTS).select("_rejection.reason").collect()
    assert [reason[0] for reason in reasons] == ["missing_feature"]


def test_feature_that_is_named_twice_is_refused() -> None:
    features = T.StructType([T.StructField(name, T.LongType()) for name in ("a", "A", "b")])
    with pytest.raises(SignatureError, match="twice: a"):
        check_features(features, INPUTS, "features.sql")


def test_an_earlier_rejection_is_kept(spark: SparkSession) -> None:
    rejected = clicks(spark, (None, None)).selectExpr(
        "n", "text", "named_struct('reason', 'r', 'detail', 'd') AS _rejection"
    )
    row = with_model_input(with_features(rejected, "n AS a, n AS b"), INPUTS).select("_rejection.reason").first()
    assert row is not None
    assert row[0] == "r"


def test_all_missing_extra_and_wrong_features_are_named_at_once() -> None:
    features = T.StructType([T.StructField("a", T.StringType()), T.StructField("c", T.LongType())])
    with pytest.raises(SignatureError) as caught:
        check_features(features, INPUTS, "features.sql")
    text = str(caught.value)
    assert "features.sql does not produce what the model asks for" in text
    assert "missing: b double" in text
    assert "extra: c, which the model does not know" in text
    assert "wrong type: a is string, the model wants bigint" in text


def test_numbers_and_booleans_can_be_cast_to_each_other() -> None:
    check_features(
        T.StructType([T.StructField("a", T.BooleanType()), T.StructField("b", T.DecimalType(9, 2))]), INPUTS, "f.sql"
    )


def test_challenger_gets_the_features_of_some_visitors_always_the_same(spark: SparkSession) -> None:
    visitors = spark.range(4_000).selectExpr("concat('v', id % 2000) AS visitor", "id AS n", "'x' AS text")
    inputs = T.StructType([T.StructField("a", T.DoubleType())])
    featured = with_challenger_input(with_features(visitors, "n AS a, n AS b"), inputs, "visitor", 0.25)
    sampled = featured.where("_challenger_features IS NOT NULL").groupBy("visitor").count()
    assert {row["count"] for row in sampled.collect()} == {2}
    assert 400 < sampled.count() < 600
    assert featured.schema["_challenger_features"].dataType.simpleString() == "struct<a:double>"


def test_challenger_is_not_asked_where_it_lacks_a_required_feature(spark: SparkSession) -> None:
    inputs = T.StructType([T.StructField("a", T.LongType(), False)])
    featured = with_features(spark.sql("SELECT * FROM VALUES ('v', 1L), ('v', NULL) AS t(visitor, n)"), "n AS a")
    found = with_challenger_input(featured, inputs, "visitor", 1.0).select("_challenger_features.a").collect()
    assert sorted(str(row.a) for row in found) == ["1", "None"]
    assert with_challenger_input(featured, inputs, "visitor", 1.0).where("_challenger_features IS NULL").count() == 1


def test_feature_that_is_meant_for_the_other_model_is_not_too_many() -> None:
    features = T.StructType([T.StructField(name, T.LongType()) for name in ("a", "b", "c")])
    others = T.StructType([T.StructField("c", T.LongType())])
    check_features(features, INPUTS, "f.sql", others)
    with pytest.raises(SignatureError, match="extra: c"):
        check_features(features, INPUTS, "f.sql")
