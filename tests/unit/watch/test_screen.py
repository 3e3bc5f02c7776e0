from io import StringIO

import pytest
from rich.console import Console

from clickscore.watch.screen import line, panel
from clickscore.watch.view import View

REASONS = {f"reason_{number}": number for number in range(1, 8)}
BUSY = View(scored=1_234, rejected=28, rate=120.5, by_reason=REASONS, model=("shop", "3"),
            drifted=["price", "score"], last_batch=7, last_rows=600,
            commit_age_s=1.5, lag_s=4.0, status="ok")  # fmt: skip


def test_line_says_everything() -> None:
    assert line(BUSY) == (
        "status: ok  rate: 120.5 records/s  lag: 4.0 s  scored: 1,234  rejected: 28 (reason_7 7, reason_6 6, "
        "reason_5 5, reason_4 4, reason_3 3, 2 more)  model: shop v3  drift: price, score  "
        "batch: 7 with 600 rows  last commit: 1.5 s ago"
    )


def test_what_is_unknown_is_a_dash_and_a_table_that_is_missing_is_waited_for() -> None:
    assert line(View()) == (
        "waiting: there is no table of scored clicks yet  status: the job does not answer; from the tables alone  "
        "rate: 0.0 records/s  lag: –  scored: –  rejected: –  model: –  batch: –  last commit: –"
    )


def test_text_of_a_table_moves_no_cursor() -> None:
    said = line(View(trouble="no \x1b[2J", model=("a\nb", "1"), by_reason={"\r": 1}))
    assert said.isprintable()
    assert said.startswith(r"trouble: no \x1b[2J  status: ")


@pytest.mark.parametrize(
    ("drifted", "said"),
    [([], "drift: none"), (list("abcdefg"), "drift: a, b, c, d, e, 2 more"), (["\x1b"], r"drift: \x1b")],
)
def test_drift_is_named_column_by_column(drifted: list[str], said: str) -> None:
    assert f"  {said}  batch: " in line(View(drifted=drifted))


@pytest.mark.parametrize("width", [24, 80])
def test_panel_fits_the_terminal(width: int) -> None:
    seen = StringIO()
    Console(file=seen, width=width, force_terminal=True, color_system=None).print(
        panel(BUSY, "a/long/path/scored_clicks")
    )
    lines = seen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "1,234" in seen.getvalue()
