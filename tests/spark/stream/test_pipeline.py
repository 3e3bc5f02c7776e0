import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.storage.constraints import Constraint
from clickscore.storage.schemas import KEEP, KEPT, MASKED, REJECTED_CLICKS, Layout, Scores, scored_clicks
from clickscore.stream import pipeline
from clickscore.stream.definition import Definition
from clickscore.stream.pipeline import Score, Stamp

GOOD = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3}


@pytest.fixture
def layout(definition: Definition) -> Layout:
    return definition.layout


@pytest.fixture
def stamp(spark: SparkSession) -> Stamp:
    return Stamp(7, F.lit("2026-03-01 13:00:00").cast("timestamp"), "m", "3")


@pytest.fixture
def raw(spark: SparkSession, layout: Layout) -> DataFrame:
    rows = [
        (bytearray(json.dumps(GOOD).encode()), "file", 0, None),
        (bytearray(b"wrong"), "file", 1, None),
        (bytearray(b"\xff\xfe"), "file", 2, None),
    ]
    return spark.createDataFrame(rows, layout.raw)


@pytest.fixture
def score(column_scorer: Callable[..., Score], layout: Layout) -> Score:
    return column_scorer(layout)


def test_record_with_a_score_becomes_a_row_of_scored_clicks(
    raw: DataFrame, layout: Layout, stamp: Stamp, score: Score
) -> None:
    scored = pipeline.scored(pipeline.with_outcomes(raw, score), layout, stamp)
    assert scored.columns == scored_clicks(layout.click).names
    [row] = scored.collect()
    assert (row.id, row.score, row.model_name, row.model_version, row.batch_id) == ("a", 2.0, "m", "3", 7)
    assert (row.source, row.source_offset, str(row.scored_at)) == ("file", 0, "2026-03-01 13:00:00")


def test_rejected_record_keeps_its_bytes_its_reason_and_where_it_came_from(
    raw: DataFrame, layout: Layout, stamp: Stamp, score: Score
) -> None:
    outcomes = pipeline.with_outcomes(raw, score).where(pipeline.IS_REJECTED)
    records = outcomes.select("*", pipeline.REASON, pipeline.DETAIL)
    rejected = pipeline.rejected(records, layout, stamp)
    assert rejected.columns == REJECTED_CLICKS.names
    rows = rejected.orderBy("source_offset").collect()
    assert [(row.raw, row.reason, row.detail, row.source_offset, row.batch_id) for row in rows] == [
        ("wrong", "malformed_json", "why: malformed_json", 1, 7),
        ("\xff\xfe", "invalid_encoding", "why: invalid_encoding", 2, 7),
    ]


def test_census_counts_every_record_once_and_lists_the_rejected(raw: DataFrame, layout: Layout, score: Score) -> None:
    outcomes = pipeline.with_outcomes(raw, score)
    [row] = outcomes.agg(*pipeline.census(layout)).collect()
    assert (row["read"], row["duplicates"], row["rejected"], row["failed"], row["sources"]) == (3, 0, 2, 0, ["file"])
    assert row["newest"] == 1_772_366_400_000_000
    listed = {(bytes(record["value"]), record["reason"], record["source_offset"]) for record in row["listed"]}
    assert listed == {(b"wrong", "malformed_json", 1), (b"\xff\xfe", "invalid_encoding", 2)}


def test_sample_holds_records_whatever_becomes_of_them_and_no_large_one(
    raw: DataFrame, layout: Layout, score: Score
) -> None:
    large = raw.limit(1).withColumn("value", F.expr(f"CAST(repeat('x', {pipeline.MOST_LISTED_BYTES} + 1) AS BINARY)"))
    outcomes = pipeline.with_outcomes(raw.unionByName(large), score)
    [row] = outcomes.agg(*pipeline.census(layout, is_sampled=True)).collect()
    assert sorted(map(bytes, row["sampled"])) == sorted(bytes(record.value) for record in raw.collect())
    [row] = outcomes.agg(*pipeline.census(layout)).collect()
    assert "sampled" not in row


def test_driver_is_flooded_neither_by_many_rejected_records_nor_by_large_ones(
    spark: SparkSession, layout: Layout, score: Score
) -> None:
    many = spark.range(1_500).selectExpr("CAST('wrong' AS BINARY) AS value", "'f' AS source", "id AS source_offset",
                                         "CAST(null AS TIMESTAMP) AS _source_time")  # fmt: skip
    [row] = pipeline.with_outcomes(many, score).agg(*pipeline.census(layout)).collect()
    assert (row["rejected"], len(row["listed"])) == (1_500, pipeline.MOST_LISTED)
    large = many.limit(2).withColumn("value", F.expr(f"CAST(repeat('x', {pipeline.MOST_LISTED_BYTES} + 1) AS BINARY)"))
    [row] = pipeline.with_outcomes(large, score).agg(*pipeline.census(layout)).collect()
    assert (row["rejected"], row["listed"] or []) == (2, [])


def test_duplicate_is_neither_scored_nor_rejected_but_counted(
    raw: DataFrame, layout: Layout, stamp: Stamp, score: Score
) -> None:
    outcomes = pipeline.with_outcomes(raw, score).withColumn("_duplicate", F.lit(True))
    [row] = outcomes.agg(*pipeline.census(layout)).collect()
    assert (row["read"], row["duplicates"], row["rejected"], row["newest"]) == (3, 3, 0, None)
    assert pipeline.scored(outcomes, layout, stamp).count() == 0
    assert outcomes.where(pipeline.IS_REJECTED).count() == 0


def test_click_whose_row_breaks_a_constraint_is_rejected_and_keeps_its_bytes(
    raw: DataFrame, layout: Layout, stamp: Stamp, score: Score
) -> None:
    outcomes = pipeline.with_outcomes(raw, score)
    for condition, is_broken in (
        ("PRICE < 2 AND batch_id = 7", True),
        ("price > 1", False),
        ("source_offset IS NULL", True),
    ):
        checked = pipeline.constrained(outcomes, layout, stamp, [Constraint("mine", condition)])
        assert checked.columns == outcomes.columns
        assert pipeline.scored(checked, layout, stamp).count() == (not is_broken)
        [row] = checked.where("source_offset = 0").select("value", "_outcome.reason", "_outcome.detail").collect()
        assert json.loads(bytes(row.value)) == GOOD
        assert row[1:] == (("constraint_violated", f"breaks mine ({condition})") if is_broken else (None, None))
        others = checked.where("source_offset > 0").select("_outcome.reason").collect()
        assert {other.reason for other in others} == {"malformed_json", "invalid_encoding"}


def test_challenger_has_a_version_only_where_it_has_a_score(
    raw: DataFrame, layout: Layout, stamp: Stamp, score: Score, column_scorer: Callable[..., Score]
) -> None:
    challenged = Layout(layout.click, layout.id, layout.time, layout.visitor, scores=Scores(is_challenged=True))
    more = F.lit(None).cast("double").alias("challenger_score"), F.lit("slow").alias("challenger_detail")
    outcomes = pipeline.with_outcomes(raw, column_scorer(layout, *more))
    active = Stamp(7, stamp.moment, "m", "3", "4")
    [row] = pipeline.scored(outcomes, challenged, active).collect()
    assert (row.score, row.challenger_score, row.challenger_version) == (2.0, None, None)
    [counts] = outcomes.agg(*pipeline.census(challenged, is_challenged=True)).collect()
    assert (counts["challenged"], counts["challenger_failed"], counts["challenger_failure"]) == (3, 3, "slow")
    more = F.lit(0.75).alias("challenger_score"), F.lit(None).cast("string").alias("challenger_detail")
    [row] = pipeline.scored(pipeline.with_outcomes(raw, column_scorer(layout, *more)), challenged, active).collect()
    assert (row.challenger_score, row.challenger_version) == (0.75, "4")
    [row] = pipeline.scored(pipeline.with_outcomes(raw, score), challenged, stamp).collect()
    assert (row.challenger_score, row.challenger_version) == (None, None)


def test_identity_depends_on_every_field_and_on_the_place(
    raw: DataFrame, layout: Layout, stamp: Stamp, score: Score
) -> None:
    one = pipeline.scored(pipeline.with_outcomes(raw, score), layout, stamp)
    variants = [one, one.withColumn("price", F.lit(3.0)), one.withColumn("source", F.lit("other")),
                one.withColumn("quantity", F.lit(None).cast("int"))]  # fmt: skip
    hashes = {frame.select(pipeline.identity(layout)).collect()[0][0] for frame in variants}
    assert len(hashes) == 4


def test_names_of_fields_may_be_those_of_other_columns(spark: SparkSession, stamp: Stamp) -> None:
    names = ("value", "reason_2", "event.id", "a`b")
    click = T.StructType([T.StructField(name, T.StringType()) for name in names])
    layout = Layout(click, "event.id", "value", "value")
    raw = spark.createDataFrame([(bytearray(b"x"), "file", 1, None)], layout.raw)
    fields = [F.lit(name).alias(name) for name in names]
    nothing = [F.lit(None).cast("string").alias(name) for name in ("reason", "detail")]
    outcomes = pipeline.with_outcomes(raw, lambda _: F.struct(*fields, F.lit(0.5).alias("score"), *nothing))
    [row] = pipeline.scored(outcomes, layout, stamp).collect()
    assert [row[name] for name in names] == list(names)


def test_nothing_is_left_of_a_record_that_is_refused_but_where_it_came_from(
    spark: SparkSession, definition: Definition, stamp: Stamp
) -> None:
    kept = tuple(KEPT.values())
    header = [("visitor", bytearray(b"v"))]
    rows = [(bytearray(value), "clicks-0", offset, bytearray(b"v"), header, None)
            for offset, value in enumerate([json.dumps(GOOD).encode(), b"wrong"])]  # fmt: skip
    click = "'id', 'v', 'at', timestamp'2026-03-01', 'visitor', 'v', 'price', 2D, 'quantity', 3"
    outcome = f"named_struct({click}, '_raw', 'v', {{}})"
    refused = "'score', CAST(NULL AS DOUBLE), 'reason', 'erased_visitor', 'detail', 'why'"
    others = "'score', CAST(NULL AS DOUBLE), 'reason', 'scoring_failed', 'detail', 'why'"

    def score(value: Column) -> Column:
        is_good = F.octet_length(value) > len(b"wrong")
        return F.when(is_good, F.expr(outcome.format(refused))).otherwise(F.expr(outcome.format(others)))

    for raw_rule in (KEEP, MASKED):
        layout = replace(definition.layout, kept=kept, raw_rule=raw_rule)
        outcomes = pipeline.with_outcomes(spark.createDataFrame(rows, layout.raw), score)
        outcomes = pipeline.masked(outcomes, layout).select("*", pipeline.REASON, pipeline.DETAIL)
        table = pipeline.rejected(outcomes, layout, stamp).orderBy("source_offset")
        gone, there = table.select("raw", "source_key", "source_headers", "source", "source_offset").collect()
        assert tuple(gone) == (None, None, None, "clicks-0", 0)
        assert None not in tuple(there)
        [row] = outcomes.agg(*pipeline.census(layout, is_sampled=True)).collect()
        assert [each.value and bytes(each.value) for each in row["listed"] if each.reason == "erased_visitor"] == [None]
        assert len([value for value in row["sampled"] if value]) == 1  # of the other record
