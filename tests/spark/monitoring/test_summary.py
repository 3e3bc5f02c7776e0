from io import StringIO

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.config.click import Click
from clickscore.monitoring.progress import ProgressLines
from clickscore.monitoring.report import Report
from clickscore.monitoring.summary import doubts, look_at, print_histogram, sample, score_counts

CLICK = "tests/data/click.ddl"
MODEL = ("m", "1")


def run_of(*reports: Report) -> list[str]:
    lines = ProgressLines(Console(file=StringIO()))
    for report in reports:
        lines.report(report)
    return list(doubts(lines))


def test_model_that_has_scored_nothing_or_little_is_called_into_question() -> None:
    nothing = Report(0, 12, 0, 12, 1, 0.5, None, *MODEL, failed=3, cause="scoring_failed: ValueError: \x1b[2J no")
    text = (
        r"the model has failed on 3 of the 3 clicks that it was asked about, most often: scoring_failed: "
        r"ValueError: \x1b[2J no. When it works, jobs/replay_rejected.py scores them after all."
    )
    assert run_of(nothing) == [text]
    little = Report(1, 3, 3, 0, 1, 0.5, None, *MODEL)
    assert run_of(nothing, little) == [text.replace("of the 3 clicks", "of the 6 clicks")]
    assert run_of(nothing, little, little) == []


def test_run_that_has_rejected_everything_says_why() -> None:
    causes = ["malformed_json: a", "missing_field: id is missing", "missing_field: id is missing"]
    assert run_of(*(Report(n, 4, 0, 4, 1, 0.5, None, *MODEL, cause=cause) for n, cause in enumerate(causes))) == [
        "all 12 records were rejected, most often: missing_field: id is missing. Does the click schema fit?"
    ]
    assert run_of(Report(0, 1, 0, 1, 1, 0.5, None, *MODEL)) == [
        "the only record was rejected. Does the click schema fit?"
    ]


def test_run_that_has_scored_or_read_nothing_new_is_not_in_doubt() -> None:
    assert run_of() == []
    assert run_of(Report(0, 9, 0, 0, 1, 0.5, None, *MODEL, duplicates=9)) == []
    assert run_of(Report(0, 10, 9, 1, 1, 0.5, None, *MODEL, failed=1, cause="scoring_failed: x")) == []


def test_every_score_is_in_one_of_ten_equal_bins() -> None:
    counts = score_counts(pa.chunked_array([[(n + 0.5) / 100 for n in range(100)], [None]]))
    assert list(counts.values()) == [10] * 10
    assert list(counts) == pytest.approx([0.005 + n * 0.099 for n in range(10)])


def test_equal_scores_and_no_scores_have_a_histogram_too() -> None:
    assert list(score_counts(pa.chunked_array([[0.5] * 7])).values()) == [7] + [0] * 9
    assert score_counts(pa.chunked_array([pa.nulls(2, pa.float64())])) == {}


@pytest.mark.parametrize(
    "scores",
    [
        [-1.7e308, 1.7e308],
        [0.0, 1.7976931348623157e308],
        [1e300, 1e300],
        [1e16, 1e16 + 2],
        [5e-324, 0.0],
        [-1e308, 0.5],
    ],
)
def test_scores_of_any_size_have_a_histogram(scores: list[float]) -> None:
    counts, seen = score_counts(pa.chunked_array([scores])), StringIO()
    print_histogram(Console(file=seen, width=100), counts)
    assert sum(counts.values()) == len(scores)
    assert max(map(len, seen.getvalue().splitlines())) <= 100


def test_markup_and_terminal_codes_in_a_click_are_shown_not_obeyed(spark: SparkSession) -> None:
    visitor = "[/bold][red]x\x1b[2J\u202e\\n é"
    clicks = spark.createDataFrame([("a", "2026-03-01", visitor, 0.5, "1", 0)], "id STRING, at STRING, visitor STRING, "
                                   "score DOUBLE, model_version STRING, batch_id BIGINT")  # fmt: skip
    seen = StringIO()
    found = look_at(clicks, Click(schema=CLICK, id="id", time="at", visitor="visitor"))
    Console(file=seen, width=200).print(sample(found))
    assert r"[/bold][red]x\x1b[2J\u202e\n é" in seen.getvalue()
    assert "0.5000" in seen.getvalue()


def test_longest_bar_is_the_fullest_bin() -> None:
    seen = StringIO()
    print_histogram(Console(file=seen, width=100), {0.0: 10, 0.1: 40})
    short, long = [line.count("█") for line in seen.getvalue().splitlines() if "from" in line]
    assert (short, long) == (10, 40)
