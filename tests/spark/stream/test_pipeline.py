import json
from collections.abc import Callable

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.storage.schemas import REJECTED_CLICKS, scored_clicks
from clickscore.storage.schemas import raw as raw_columns
from clickscore.stream import pipeline
from clickscore.stream.pipeline import Contract
from clickscore.stream.rows import FAILURE, Stamp

INPUTS = T.StructType([T.StructField("double_price", T.DoubleType()), T.StructField("quantity", T.LongType(), False)])
GOOD = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3}


@pytest.fixture
def stamp(spark: SparkSession) -> Stamp:
    return Stamp(7, F.lit("2026-03-01 13:00:00").cast("timestamp"), "m", "3")


def answering(score: Callable[[Column], Column]) -> Callable[[Column], Column]:
    """Return a model that fails on no click."""
    return lambda inputs: F.struct(
        score(inputs).cast("double").alias("score"), F.lit(None).cast("string").alias(FAILURE)
    )


@pytest.fixture
def raw(spark: SparkSession) -> DataFrame:
    records = [GOOD, {**GOOD, "id": "b", "quantity": None}, {**GOOD, "price": "x"}]
    rows = [(bytearray(json.dumps(record).encode()), "file", number, None) for number, record in enumerate(records)]
    return spark.createDataFrame(rows, raw_columns())


def test_accepted_click_becomes_a_row_of_scored_clicks(raw: DataFrame, contract: Contract, stamp: Stamp) -> None:
    outcomes = pipeline.with_outcomes(raw, contract, INPUTS)
    predictions = pipeline.predicted(outcomes, answering(lambda inputs: inputs["double_price"] + inputs["quantity"]))
    scored = pipeline.scored(predictions, contract, stamp)
    assert scored.columns == scored_clicks(contract.click).names
    [row] = scored.collect()
    assert (row.id, row.score, row.model_name, row.model_version, row.batch_id) == ("a", 7.0, "m", "3", 7)
    assert (row.source, row.source_offset) == ("file", 0)


def test_every_other_record_becomes_a_row_of_rejected_clicks(raw: DataFrame, contract: Contract, stamp: Stamp) -> None:
    outcomes = pipeline.with_outcomes(raw, contract, INPUTS, keep_all=True)
    rejected = pipeline.rejected(outcomes, contract, stamp)
    assert rejected.columns == REJECTED_CLICKS.names
    rows = rejected.orderBy("source_offset").collect()
    assert [(row.reason, json.loads(row.raw)["id"], row.batch_id) for row in rows] == [
        ("missing_feature", "b", 7),
        ("wrong_type", "a", 7),
    ]


def test_census_counts_every_record_once(raw: DataFrame, contract: Contract) -> None:
    outcomes = pipeline.with_outcomes(raw, contract, INPUTS)
    [row] = outcomes.agg(*pipeline.census(contract)).collect()
    # The record with the missing feature was parsed well, so its raw text is not at hand in the first pass.
    assert (row["read"], row["rejected"], row["kept"], row["sources"]) == (3, 2, 1, ["file"])
    assert [rejection["reason"] for rejection in row["rejections"]] == ["wrong_type"]


def test_duplicate_is_neither_scored_nor_rejected_but_counted(raw: DataFrame, contract: Contract, stamp: Stamp) -> None:
    outcomes = pipeline.with_outcomes(raw, contract, INPUTS, keep_all=True).withColumn("_duplicate", F.lit(True))
    [row] = outcomes.agg(*pipeline.census(contract)).collect()
    assert (row["read"], row["duplicates"], row["rejected"]) == (3, 3, 0)
    assert pipeline.predicted(outcomes, answering(lambda inputs: inputs["double_price"])).count() == 0
    assert pipeline.rejected(outcomes, contract, stamp).count() == 0


def test_records_are_decoded_once(
    raw: DataFrame, contract: Contract, stamp: Stamp, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = pipeline.with_outcomes(raw, contract, INPUTS)
    predictions = pipeline.predicted(outcomes, answering(lambda inputs: inputs["double_price"]))
    scored = pipeline.scored(predictions, contract, stamp)
    scored.explain()
    assert capsys.readouterr().out.count("MapInArrow") == 1


def test_click_on_which_the_model_fails_is_not_scored_but_counted(
    raw: DataFrame, contract: Contract, stamp: Stamp
) -> None:
    nothing = F.lit(None).cast("double").alias("score")
    failing = pipeline.predicted(
        pipeline.with_outcomes(raw, contract, INPUTS), lambda _: F.struct(nothing, F.lit("why").alias(FAILURE))
    )
    assert pipeline.scored(failing, contract, stamp).count() == 0
    [row] = failing.agg(*pipeline.verdicts(contract, is_challenged=False)).collect()
    assert (row["failed"], [failure["detail"] for failure in row["failures"]]) == (1, ["why"])


def test_challenger_is_asked_about_its_visitors_and_its_failures_are_counted(
    raw: DataFrame, contract: Contract
) -> None:
    challenge = pipeline.Challenge(T.StructType([T.StructField("double_price", T.DoubleType())]), share=1.0)
    outcomes = pipeline.with_outcomes(raw, contract, INPUTS, challenge=challenge)
    predictions = pipeline.predicted(
        outcomes,
        lambda _, challenged: F.struct(
            F.lit(1.0).alias("score"), F.lit(None).cast("string").alias(FAILURE),
            (challenged["double_price"] + 0).alias("challenger_score"), F.lit("slow").alias("_challenger_failure"),
        ),
        is_challenged=True,
    )  # fmt: skip
    [row] = predictions.agg(*pipeline.verdicts(contract, is_challenged=True)).collect()
    assert (row["failed"], row["challenged"], row["challenger_failed"], row["challenger_failure"]) == (0, 1, 1, "slow")


def test_challenger_that_wants_the_same_is_sent_a_mark_instead_of_the_inputs_again(
    raw: DataFrame, contract: Contract
) -> None:
    outcomes = pipeline.with_outcomes(raw, contract, INPUTS, challenge=pipeline.Challenge(INPUTS, share=1.0))
    assert outcomes.schema["_challenger_features"].dataType == T.BooleanType()
    assert [row[0] for row in outcomes.where("id = 'a'").select("_challenger_features").collect()] == [True]
