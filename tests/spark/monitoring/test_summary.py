from io import StringIO

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.config.run import Click
from clickscore.monitoring.summary import print_histogram, sample, score_counts

CLICK = "tests/data/click.ddl"


def test_every_score_is_in_one_of_ten_equal_bins(spark: SparkSession) -> None:
    counts = score_counts(spark.sql("SELECT (id + 0.5D) / 100 AS score FROM range(100) UNION ALL SELECT NULL"))
    assert list(counts.values()) == [10] * 10
    assert list(counts) == pytest.approx([0.005 + n * 0.099 for n in range(10)])


def test_equal_scores_and_no_scores_have_a_histogram_too(spark: SparkSession) -> None:
    assert sum(score_counts(spark.sql("SELECT 0.5D AS score FROM range(7)")).values()) == 7
    assert score_counts(spark.sql("SELECT CAST(NULL AS DOUBLE) AS score")) == {}


def test_markup_and_terminal_codes_in_a_click_are_shown_not_obeyed(spark: SparkSession) -> None:
    visitor = "[/bold][red]x\x1b[2J\u202e\\n é"
    clicks = spark.createDataFrame([("a", "2026-03-01", visitor, 0.5, "1", 0)], "id STRING, at STRING, visitor STRING, "
                                   "score DOUBLE, model_version STRING, batch_id BIGINT")  # fmt: skip
    seen = StringIO()
    Console(file=seen, width=200).print(sample(clicks, Click(schema=CLICK, id="id", time="at", visitor="visitor")))
    assert r"[/bold][red]x\x1b[2J\u202e\n é" in seen.getvalue()


def test_longest_bar_is_the_fullest_bin() -> None:
    seen = StringIO()
    print_histogram(Console(file=seen, width=100), {0.0: 10, 0.1: 40})
    short, long = [line.count("█") for line in seen.getvalue().splitlines() if "from" in line]
    assert (short, long) == (10, 40)
