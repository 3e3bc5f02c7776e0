from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import SignatureError
from clickscore.stream import udf

CLICK = '{"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 9.5, "quantity": 2}'


def test_column_of_raw_records_is_scored_in_sql(spark: SparkSession, shop: Any) -> None:
    udf.register(spark, shop.config)
    spark.createDataFrame([(1, CLICK), (2, "wrong"), (3, None)], "n INT, record STRING").createOrReplaceTempView("raw")
    found = spark.sql(
        "SELECT n, outcome.id, outcome.price, outcome.score, outcome.reason, outcome.detail "
        "FROM (SELECT n, score_click(CAST(record AS BINARY)) AS outcome FROM raw) ORDER BY n"
    ).collect()
    assert [(row.id, row.price, row.reason) for row in found] == [
        ("a", 9.5, None), (None, None, "malformed_json"), (None, None, "tombstone"),
    ]  # fmt: skip
    assert 0 < found[0].score < 1
    assert (found[1].score, found[2].detail) == (None, "expected a JSON object, found no value at all")


def test_function_that_does_not_fit_the_model_is_refused_before_a_record_is_read(
    spark: SparkSession, shop: Any, tmp_path: Path
) -> None:
    (tmp_path / "features.sql").write_text("SELECT price AS price FROM click")
    shop.set(features=str(tmp_path / "features.sql"))
    with pytest.raises(SignatureError, match="missing: double_price"):
        udf.register(spark, shop.config)
