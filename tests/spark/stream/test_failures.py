import json

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.storage.schemas import raw as raw_columns
from clickscore.stream import failures, pipeline
from clickscore.stream.pipeline import Contract

INPUTS = T.StructType([T.StructField("double_price", T.DoubleType()), T.StructField("quantity", T.DoubleType())])
GOOD = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3}
RECORDS = [GOOD, GOOD, GOOD, {**GOOD, "id": "b"}, {**GOOD, "id": "c"}, {"id": "d"}]
"""Three that are equal, two others, and one that is no click."""


@pytest.fixture
def outcomes(spark: SparkSession, contract: Contract) -> DataFrame:
    rows = [(bytearray(json.dumps(record).encode()), "file", None, None) for record in RECORDS]
    return pipeline.with_outcomes(spark.createDataFrame(rows, raw_columns()), contract, INPUTS, keep_all=True)


def rejected_ids(outcomes: DataFrame, failed: DataFrame, contract: Contract) -> list[tuple[str, str, str]]:
    found = failures.with_failures(outcomes, failed, contract).where(pipeline.IS_REJECTED)
    rows = found.select("_raw", "_rejection.*").collect()
    return sorted((json.loads(row["_raw"])["id"], row["reason"], row["detail"] or "") for row in rows)


def test_failed_clicks_are_rejected_with_what_was_seen(
    spark: SparkSession, outcomes: DataFrame, contract: Contract
) -> None:
    named = {row["id"]: row["i"] for row in outcomes.select("id", pipeline.identity(contract).alias("i")).collect()}
    seen = spark.createDataFrame([(named["a"], "first"), (named["a"], "second"), (named["c"], "third")], failures.SEEN)
    found = rejected_ids(outcomes, failures.failed_as_seen(seen), contract)
    assert [row[:2] for row in found] == [
        ("a", "scoring_failed"), ("a", "scoring_failed"), ("c", "scoring_failed"), ("d", "missing_field"),
    ]  # fmt: skip
    assert {row[2] for row in found[:3]} == {"first", "second", "third"}


def test_clicks_that_are_missing_in_the_table_are_found_as_often_as_they_are_missing(
    outcomes: DataFrame, contract: Contract
) -> None:
    scored = pipeline.accepted(outcomes).where("id != 'b'").limit(3)
    failed = failures.failed_as_missing(outcomes, scored, contract)
    found = rejected_ids(outcomes, failed, contract)
    in_table = sorted(row.id for row in scored.select("id").collect())
    in_rejected = [name for name, reason, _ in found if reason == "scoring_failed"]
    assert sorted([*in_table, *in_rejected]) == ["a", "a", "a", "b", "c"]
    assert len(in_rejected) == 2
    assert all(detail == failures.UNKNOWN_DETAIL for _, reason, detail in found if reason == "scoring_failed")


def test_nothing_is_missing_where_every_click_was_scored(outcomes: DataFrame, contract: Contract) -> None:
    assert failures.failed_as_missing(outcomes, pipeline.accepted(outcomes), contract).count() == 0


def test_identity_depends_on_every_field_and_on_the_place(outcomes: DataFrame, contract: Contract) -> None:
    one = outcomes.where("id = 'a'").limit(1)
    variants = [one, one.withColumn("price", F.lit(3.0)), one.withColumn("source", F.lit("other")),
                one.withColumn("quantity", F.lit(None).cast("int"))]  # fmt: skip
    hashes = {frame.select(pipeline.identity(contract)).collect()[0][0] for frame in variants}
    assert len(hashes) == 4


def test_fields_of_a_click_may_have_any_name(spark: SparkSession) -> None:
    click = T.StructType([T.StructField(name, T.StringType()) for name in ("identity", "details", "missing", "asked")])
    contract = Contract(click, "identity", "details", "missing", "1 AS one")
    row = [bytearray(b'{"identity": "a", "details": "b"}'), "file", 1, None]
    outcomes = pipeline.with_outcomes(spark.createDataFrame([row], raw_columns()), contract, T.StructType([]), True)
    failed = failures.failed_as_missing(outcomes, pipeline.accepted(outcomes).limit(0), contract)
    found = failures.with_failures(outcomes, failed, contract).where(pipeline.IS_REJECTED)
    assert [row["reason"] for row in found.select("_rejection.reason").collect()] == ["scoring_failed"]
