import json
from collections.abc import Callable

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.storage.batch_rows import BatchRows
from clickscore.storage.schemas import Layout
from clickscore.stream import pipeline
from clickscore.stream.definition import Definition
from clickscore.stream.pipeline import Stamp
from clickscore.stream.rejections import UNKNOWN_DETAIL, not_scored

GOOD = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3}
RECORDS = [GOOD, GOOD, GOOD, {**GOOD, "id": "b"}, {**GOOD, "id": "c"}, {"visitor": "d"}]
"""Three that are equal, two others, and one that is no click."""


@pytest.fixture
def layout(definition: Definition) -> Layout:
    return definition.layout


@pytest.fixture
def outcomes_of(spark: SparkSession, layout: Layout) -> Callable[[Column], DataFrame]:
    """Return the outcomes of the records where the model fails on some clicks, with the reason that it gives."""
    rows = [(bytearray(json.dumps(record).encode()), "file", None, None) for record in RECORDS]
    raw = spark.createDataFrame(rows, layout.raw)

    def outcomes(failure: Column) -> DataFrame:
        def score(value: Column) -> Column:
            click = F.from_json(value.cast("string"), layout.click)
            fields = [click[name].alias(name) for name in layout.click.names]
            why = F.when(click["id"].isNull(), "id is missing").otherwise(failure)
            reason = F.when(click["id"].isNull(), "missing_field").when(why.isNotNull(), "scoring_failed")
            return F.struct(*fields, click["price"].alias("score"), reason.alias("reason"), why.alias("detail"))

        return pipeline.with_outcomes(raw, score)

    return outcomes


def scored(outcomes: DataFrame, layout: Layout) -> DataFrame:
    return pipeline.scored(outcomes, layout, Stamp(0, F.current_timestamp(), "m", "1"))


def found(records: DataFrame) -> list[tuple[str, str, str]]:
    rows = records.select("value", "reason", "detail").collect()
    return sorted((json.loads(bytes(row.value)).get("id", ""), row.reason, row.detail) for row in rows)


def test_whatever_is_missing_in_the_table_is_rejected_as_often_as_it_is_missing(
    outcomes_of: Callable[[Column], DataFrame], layout: Layout
) -> None:
    outcomes = outcomes_of(F.lit(None).cast("string"))
    table = scored(outcomes, layout)
    committed = table.where("id = 'a'").limit(2).unionByName(table.where("id = 'c'"))
    assert found(not_scored(outcomes, BatchRows(committed), layout)) == [
        ("", "missing_field", "id is missing"),
        ("a", "scoring_failed", UNKNOWN_DETAIL),
        ("b", "scoring_failed", UNKNOWN_DETAIL),
    ]


def test_click_that_fails_once_more_says_why_and_one_in_the_table_is_not_rejected_whatever_it_does_now(
    outcomes_of: Callable[[Column], DataFrame], layout: Layout
) -> None:
    committed = scored(outcomes_of(F.lit(None).cast("string")), layout).where("id != 'b'")
    everything_fails = outcomes_of(F.lit("ValueError: what is this?"))
    assert found(not_scored(everything_fails, BatchRows(committed), layout)) == [
        ("", "missing_field", "id is missing"),
        ("b", "scoring_failed", "ValueError: what is this?"),
    ]


def test_nothing_is_missing_where_every_click_was_scored(
    outcomes_of: Callable[[Column], DataFrame], layout: Layout
) -> None:
    outcomes = outcomes_of(F.lit(None).cast("string"))
    assert [reason for _, reason, _ in found(not_scored(outcomes, BatchRows(scored(outcomes, layout)), layout))] == [
        "missing_field"
    ]


def test_duplicates_are_not_rejected(outcomes_of: Callable[[Column], DataFrame], layout: Layout) -> None:
    outcomes = outcomes_of(F.lit("failed")).withColumn("_duplicate", F.lit(True))
    assert not_scored(outcomes, BatchRows(scored(outcomes, layout)), layout).isEmpty()


def test_click_whose_row_was_deleted_since_is_not_rejected(
    outcomes_of: Callable[[Column], DataFrame], layout: Layout
) -> None:
    outcomes = outcomes_of(F.when(F.lit("b") == F.get_json_object(F.col("value").cast("string"), "$.id"), "it fails"))
    left = scored(outcomes, layout).where("id != 'c'")
    assert found(not_scored(outcomes, BatchRows(left, is_whole=False), layout)) == [
        ("", "missing_field", "id is missing"),
        ("b", "scoring_failed", "it fails"),
    ]
