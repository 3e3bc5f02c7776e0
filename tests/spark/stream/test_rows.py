import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.storage.schemas import Scores
from clickscore.stream.rows import Stamp, as_rejected_clicks, as_scored_clicks, predicted_type, with_predictions

CLICK = T.StructType([T.StructField("id", T.StringType(), False)])


@pytest.fixture
def stamp(spark: SparkSession) -> Stamp:
    return Stamp(2, F.lit("2026-03-01 13:00:00").cast("timestamp"), "m", "3", "4")


def test_model_is_asked_about_the_features_of_both(spark: SparkSession) -> None:
    clicks = spark.sql("SELECT 'a' AS id, struct(1.5D AS x) AS _features, struct(2D AS y) AS _challenger_features")
    alone = with_predictions(clicks, lambda inputs: F.struct((inputs["x"] * 2).alias("score")))
    assert alone.select("_predicted.score").collect()[0][0] == 3.0
    both = with_predictions(clicks, lambda one, two: F.struct((one["x"] + two["y"]).alias("score")), is_challenged=True)
    assert both.select("_predicted.score").collect()[0][0] == 3.5


def test_prediction_has_the_scores_and_why_there_are_none() -> None:
    assert predicted_type(("score", "leave"), False).names == ["score", "leave", "_failure"]
    assert predicted_type(("score",), True).names == ["score", "_failure", "challenger_score", "_challenger_failure"]


def test_only_the_columns_of_the_table_go_out(spark: SparkSession, stamp: Stamp) -> None:
    clicks = spark.sql(
        "SELECT 1 AS junk, 'a' AS id, struct(0.5D AS score, null AS _failure) AS _predicted, 'f' AS source, "
        "9L AS source_offset"
    )
    out = as_scored_clicks(clicks, CLICK, (), Scores(), stamp)
    expected = spark.sql(
        "SELECT 'a' AS id, 0.5D AS score, 'm' AS model_name, '3' AS model_version, "
        "TIMESTAMP '2026-03-01 13:00:00' AS scored_at, 'f' AS source, 9L AS source_offset, 2L AS batch_id"
    )
    assert_df_equality(out, expected, ignore_nullable=True)


def test_challenger_has_a_version_only_where_it_has_a_score(spark: SparkSession, stamp: Stamp) -> None:
    clicks = spark.sql(
        "SELECT id, struct(0.5D AS score, 0.25D AS leave, c AS challenger_score) AS _predicted, 'f' AS source, "
        "9L AS source_offset FROM VALUES ('a', 0.75D), ('b', CAST(NULL AS DOUBLE)) AS t(id, c)"
    )
    out = as_scored_clicks(clicks, CLICK, (), Scores(("score", "leave"), True), stamp)
    assert out.columns[:9] == ["id", "score", "leave", "model_name", "model_version", "scored_at", "challenger_score",
                               "challenger_version", "source"]  # fmt: skip
    rows = out.select("id", "leave", "challenger_score", "challenger_version").orderBy("id").collect()
    assert [tuple(row) for row in rows] == [("a", 0.25, 0.75, "4"), ("b", 0.25, None, None)]


def test_rejections_keep_raw_reason_and_lineage(spark: SparkSession, stamp: Stamp) -> None:
    records = spark.sql(
        "SELECT 'x' AS _raw, struct('r' AS reason, 'd' AS detail) AS _rejection, 'f' AS source, 9L AS source_offset"
    )
    expected = spark.sql(
        "SELECT 'x' AS raw, 'r' AS reason, 'd' AS detail, 'f' AS source, 9L AS source_offset, "
        "TIMESTAMP '2026-03-01 13:00:00' AS received_at, 2L AS batch_id"
    )
    assert_df_equality(as_rejected_clicks(records, (), stamp), expected, ignore_nullable=True)
