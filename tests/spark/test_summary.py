from io import StringIO

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.summary import print_histogram, score_counts


def test_every_score_is_in_one_of_ten_equal_bins(spark: SparkSession) -> None:
    counts = score_counts(spark.sql("SELECT (id + 0.5D) / 100 AS score FROM range(100) UNION ALL SELECT NULL"))
    assert list(counts.values()) == [10] * 10
    assert list(counts) == pytest.approx([0.005 + n * 0.099 for n in range(10)])


def test_equal_scores_and_no_scores_have_a_histogram_too(spark: SparkSession) -> None:
    assert sum(score_counts(spark.sql("SELECT 0.5D AS score FROM range(7)")).values()) == 7
    assert score_counts(spark.sql("SELECT CAST(NULL AS DOUBLE) AS score")) == {}


def test_longest_bar_is_the_fullest_bin() -> None:
    seen = StringIO()
    print_histogram(Console(file=seen, width=100), {0.0: 10, 0.1: 40})
    short, long = [line.count("█") for line in seen.getvalue().splitlines() if "from" in line]
    assert (short, long) == (10, 40)
