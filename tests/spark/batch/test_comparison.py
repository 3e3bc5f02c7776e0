from io import StringIO

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from scipy.stats import spearmanr

from clickscore.batch.comparison import figures, show

SCORES = [
    (0.1, 0.2, "ch", "2026-03-01 10:00:00"),
    (0.2, 0.2, "ch", "2026-03-01 11:00:00"),
    (0.2, 0.9, "ch", "2026-03-02 10:00:00"),
    (0.7, 0.3, "ch", "2026-03-02 11:00:00"),
    (0.5, 0.5, "[/de]", "2026-03-02 12:00:00"),
    (0.5, None, "[/de]", "2026-03-02 13:00:00"),
]


def test_figures_are_those_of_the_clicks_that_both_have_scored(spark: SparkSession) -> None:
    scores = spark.createDataFrame(SCORES, "old_score DOUBLE, new_score DOUBLE, country STRING, at STRING")
    # In its order, the value that the console could take for the end of a style comes first.
    german, swiss = figures(scores, F.col("country")).orderBy("value").collect()
    assert (swiss.value, swiss.clicks, swiss.unscored, swiss.changed) == ("ch", 4, 0, 3)
    assert swiss.mean_difference == pytest.approx((0.1 + 0.7 - 0.4) / 4)
    assert swiss.worst_difference == pytest.approx(0.7)
    expected = spearmanr([row[0] for row in SCORES[:4]], [row[1] for row in SCORES[:4]]).statistic
    assert swiss.rank_correlation == pytest.approx(expected)
    assert (german.clicks, german.unscored, german.changed, german.rank_correlation) == (2, 1, 0, None)
    seen = StringIO()
    show(Console(file=seen, width=160), "7 against [/6]", scores, "at", "country")
    lines = [line.replace("│", " ").split() for line in seen.getvalue().splitlines()]
    assert next(line for line in lines if line[:1] == ["all"])[:6] == ["all", "6", "1", "3", "+0.080000", "+0.700000"]
    assert [line[0] for line in lines if line[:1] and line[0][:4] in ("2026", "ch", "[/de")] == [
        "2026-03-01", "2026-03-02", "ch", "[/de]",
    ]  # fmt: skip
