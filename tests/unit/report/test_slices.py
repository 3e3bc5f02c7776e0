from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.run_tables import START, Run

from clickscore.errors import ConfigError
from clickscore.report import movement
from clickscore.report.movement import LEAST_CLICKS
from clickscore.report.run_tables import RunTables, open_tables
from clickscore.report.sections import Section
from clickscore.report.slices import MOST_VALUES, OTHER, check_column
from clickscore.scoring import Contract, Features


def day(number: int, quantity: int | None, score: float, clicks: int = LEAST_CLICKS) -> list[dict[str, Any]]:
    """Return clicks of a day with one quantity, and scores in a range of one above a number."""
    at = START + timedelta(days=number)
    return [
        {"id": f"{number}-{quantity}-{place}", "at": at, "quantity": quantity, "score": score + place / clicks}
        for place in range(clicks)
    ]


@pytest.fixture
def sliced(tmp_path: Path, contract: Contract) -> Run:
    run = Run(tmp_path, contract.click)
    run.reject(0, [])
    return run


def section(run: Run, contract: Contract, features: Features, by: str = "quantity") -> Section:
    return movement.section(open_tables(run.output, contract, {}), features, by=by)


def test_only_the_value_whose_scores_have_moved_is_named(sliced: Run, contract: Contract, features: Features) -> None:
    # Two is scored higher than one from the first day on: that is no movement.
    for number, second in enumerate((3.0, 3.0, 3.4)):
        sliced.score(number, [*day(number, 1, 0), *day(number, 2, second)])
    found = section(sliced, contract, features)
    said, chart = found.sentences[-1], found.charts[-1]
    assert said.startswith(
        "Scores of version 1 by quantity, each value against its own first day: 1 slice of 2 moved: 2 ("
    )
    moved, still = chart.grid.rows
    assert (moved[0], moved[1], moved[2:4], moved[-2:]) == (
        "2", "1,500", ("3.4990", "3.8990"), ("2026-03-04", "moved far")
    )  # fmt: skip
    assert (still[0], still[2:5], still[-1]) == ("1", ("0.4990", "0.4990", "0.000"), "not moved")
    assert chart.title == "PSI of the score by quantity per day, version 1, against the first of each value"


def test_clicks_without_a_value_and_rare_values_are_slices_of_their_own(
    sliced: Run, contract: Contract, features: Features
) -> None:
    for number in range(2):
        many = [click for value in range(MOST_VALUES - 1) for click in day(number, value, 0)]
        # Each of the rare values has too few clicks to be compared, and all of them together have enough.
        rare = [click for value in range(100, 110) for click in day(number, value, 0, LEAST_CLICKS // 10)]
        sliced.score(number, [*many, *day(number, None, 0), *rare])
    names = [row[0] for row in section(sliced, contract, features).charts[-1].grid.rows]
    assert sorted(names) == sorted([*map(str, range(MOST_VALUES - 1)), "null", OTHER])


def test_swap_is_not_called_a_movement(sliced: Run, contract: Contract, features: Features) -> None:
    sliced.score(0, day(0, 1, 0))
    sliced.score(1, [*day(1, 1, 5), *day(2, 1, 5)], version="2")
    said = section(sliced, contract, features).sentences[-1]
    assert said == "Scores of version 2 by quantity, each value against its own first day: none has moved."


def test_values_with_few_clicks_are_not_compared(sliced: Run, contract: Contract, features: Features) -> None:
    sliced.score(0, [*day(0, 1, 0), *day(1, 2, 0)])
    found = section(sliced, contract, features)
    assert found.sentences[-1] == ("no value of quantity has 500 clicks of version 1 in two days: too few to compare.")
    assert "slices" not in [chart.name for chart in found.charts]


@pytest.mark.parametrize(("by", "why"), [
    ("visitor", "tells single clicks or visitors apart; expected one of quantity, "),
    ("id", "tells single clicks"),
    ("devise", "there is no such column. Name quantity, "),
    ("price", "expected texts, booleans or whole numbers; it is double"),
])  # fmt: skip
def test_column_that_cannot_slice_is_refused(sliced: Run, contract: Contract, by: str, why: str) -> None:
    sliced.score(0, day(0, 1, 0))
    tables: RunTables = open_tables(sliced.output, contract, {})
    check_column(tables, "quantity")
    with pytest.raises(ConfigError) as caught:
        check_column(tables, by)
    assert why in str(caught.value)
