import time
from io import StringIO

from rich.console import Console

from clickscore.monitoring.progress import MOST_CAUSES, ProgressLines, age
from clickscore.monitoring.report import Report

MODEL = ("click_propensity", "3")


def test_each_micro_batch_is_one_plain_line_and_all_are_added_up() -> None:
    seen = StringIO()
    newest = int((time.time() - 5) * 1e6)
    with ProgressLines(Console(file=seen, width=200), files=4) as lines:
        lines.report(Report(0, 1_000, 990, 10, 2, 0.5, newest, *MODEL))
        lines.report(Report(1, 500, 500, 0, 2, 0.5, None, *MODEL))
    first, second = seen.getvalue().splitlines()
    assert first.split()[:2] == ["batch", "0"]
    for part in (
        "1,000 in",
        "990 scored",
        "10 rejected",
        "2,000 clicks/s",
        "newest click 5.0 s ago",
        "click_propensity v3",
    ):
        assert part in first
    assert "no click" in second
    assert (lines.batches, lines.read, lines.scored, lines.rejected) == (2, 1_500, 1_490, 10)


def test_causes_are_added_up_and_their_number_stays_small() -> None:
    lines = ProgressLines(Console(file=StringIO()))
    for number in range(MOST_CAUSES):
        for cause in (f"wrong_type: {number}", "missing_field: id is missing"):
            lines.report(Report(number, 3, 0, 3, 1, 0.5, None, *MODEL, failed=1, cause=cause))
    assert lines.failed == 2 * MOST_CAUSES
    assert lines.causes.most_common(1) == [("missing_field: id is missing", MOST_CAUSES)]
    assert len(lines.causes) <= MOST_CAUSES


def test_terminal_shows_a_bar_while_files_are_left() -> None:
    seen = StringIO()
    console = Console(file=seen, force_terminal=True, width=100)
    with ProgressLines(console, files=4) as lines:
        lines.report(Report(0, 10, 10, 0, 3, 0.5, None, *MODEL))
    assert "3/4" in seen.getvalue()


def test_age_is_told_in_the_largest_fitting_unit() -> None:
    ages = [age(int((time.time() - seconds) * 1e6)) for seconds in (3, 300, 10_000, 300_000)]
    assert ages == ["3.0 s", "5 min", "3 h", "3 d"]
    assert age(-62_135_596_800_000_000).endswith(" d")
