import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring import Stamp, as_rejected_clicks, as_scored_clicks, with_scores

CLICK = T.StructType([T.StructField("id", T.StringType(), False)])


@pytest.fixture
def stamp(spark: SparkSession) -> Stamp:
    return Stamp(2, F.lit("2026-03-01 13:00:00").cast("timestamp"), "m", "3")


def test_score_is_the_prediction_for_the_features(spark: SparkSession) -> None:
    clicks = spark.sql("SELECT 'a' AS id, struct(1.5D AS x) AS _features")
    expected = spark.createDataFrame([("a", 3.0)], "id STRING, score DOUBLE")
    scored = with_scores(clicks, lambda inputs: inputs["x"] * 2).select("id", "score")
    assert_df_equality(scored, expected, ignore_nullable=True)


def test_only_the_columns_of_the_table_go_out(spark: SparkSession, stamp: Stamp) -> None:
    clicks = spark.sql("SELECT 1 AS junk, 'a' AS id, 0.5D AS score, 'f' AS source, 9L AS source_offset")
    out = as_scored_clicks(clicks, CLICK, (), stamp)
    expected = spark.sql(
        "SELECT 'a' AS id, 0.5D AS score, 'm' AS model_name, '3' AS model_version, "
        "TIMESTAMP '2026-03-01 13:00:00' AS scored_at, 'f' AS source, 9L AS source_offset, 2L AS batch_id"
    )
    assert_df_equality(out, expected, ignore_nullable=True)


def test_rejections_keep_raw_reason_and_lineage(spark: SparkSession, stamp: Stamp) -> None:
    records = spark.sql(
        "SELECT 'x' AS _raw, struct('r' AS reason, 'd' AS detail) AS _rejection, 'f' AS source, 9L AS source_offset"
    )
    expected = spark.sql(
        "SELECT 'x' AS raw, 'r' AS reason, 'd' AS detail, 'f' AS source, 9L AS source_offset, "
        "TIMESTAMP '2026-03-01 13:00:00' AS received_at, 2L AS batch_id"
    )
    assert_df_equality(as_rejected_clicks(records, (), stamp), expected, ignore_nullable=True)
