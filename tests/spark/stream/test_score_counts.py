from typing import Any

import numpy as np
import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import types as T

from clickscore.storage.schemas import SCORE_QUANTILES, Layout
from clickscore.stream.score_counts import ENOUGH, ScoreCounts

LAYOUT = Layout(T.StructType(), id="id", time="at", visitor="visitor")


def counted(spark: SparkSession, counts: ScoreCounts, clicks: int, condition: str = "true") -> Row:
    """Count over clicks whose scores are 1, 2, 3 and so on, in any order."""
    outcome = (
        "named_struct('id', concat('c', id), 'at', now(), 'score', double(id + 1), 'reason', reason, 'detail', '')"
    )
    rows = spark.range(clicks).selectExpr("*", f"CASE WHEN NOT ({condition}) THEN 'wrong_type' END AS reason")
    outcomes = rows.selectExpr(
        f"{outcome} AS _outcome", "false AS _duplicate", "binary('{}') AS value", "now() AS _source_time",
        "'f' AS source", "bigint(0) AS source_offset",
    )  # fmt: skip
    [row] = outcomes.agg(*counts.census(LAYOUT)).collect()
    return row


def test_mean_is_that_of_all_scores_and_quantiles_are_near_those_of_all(spark: SparkSession) -> None:
    counts = ScoreCounts()
    clicks = 20 * ENOUGH
    for part in (8, 20):  # what the first micro-batch is counted by, and what the size of the second one asks for
        row = counted(spark, counts, clicks)
        assert counts._part == part
        assert (row["read"], row["mean"]) == (clicks, (clicks + 1) / 2)
        assert np.array(row["quantiles"]) / clicks == pytest.approx(list(SCORE_QUANTILES.values()), abs=0.06)
        counts.expect(clicks)


def test_every_click_counts_where_there_are_few(spark: SparkSession) -> None:
    counts = ScoreCounts()
    counts.expect(100)
    row = counted(spark, counts, 100, condition="id < 20")
    assert (row["rejected"], row["mean"], row["quantiles"]) == (80, 10.5, [1, 5, 10, 15, 19])


def test_without_a_scored_click_there_is_neither(spark: SparkSession) -> None:
    found: Any = counted(spark, ScoreCounts(), 5, condition="false")
    assert (found["mean"], found["quantiles"]) == (None, None)
