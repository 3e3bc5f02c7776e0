from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.run_tables import START, Run

from clickscore.report import movement
from clickscore.report.movement import LEAST_CLICKS
from clickscore.report.run_tables import open_tables
from clickscore.report.sections import Section
from clickscore.scoring import Contract, Features, read_features


def day(number: int, price: float, score: float, clicks: int = LEAST_CLICKS) -> list[dict]:
    """Return clicks of a day, with prices and scores in a range of one above these."""
    at = START + timedelta(days=number)
    parts = [place / clicks for place in range(clicks)]
    return [{"id": f"{number}-{part}", "at": at, "price": price + part, "score": score + part} for part in parts]


def report(run: Run, contract: Contract, features: Features) -> Section:
    return movement.section(open_tables(run.output, contract, {}), features)


@pytest.fixture
def long_run(tmp_path: Path, contract: Contract) -> Run:
    run = Run(tmp_path, contract.click)
    run.reject(0, [])
    return run


def test_what_has_moved_is_told_and_what_has_not_is_not(long_run: Run, contract: Contract, features: Features) -> None:
    long_run.score(0, [*day(0, 10, 0), *day(1, 10, 0), *day(2, 10.5, 0)])
    found = report(long_run, contract, features)
    reference, scores, moved = found.sentences
    assert reference.startswith(
        "The first day in the table, 2026-03-02 by at, is the reference: no version has the baseline"
    )
    assert scores == "Scores of version 1: not moved, the PSI is 0.000 at most (2026-03-04, against 2026-03-02)."
    assert moved == "1 feature of 2 moved: double_price."
    heat = found.charts[-1]
    assert [row[0] for row in heat.grid.rows] == ["double_price", "quantity"]
    assert (heat.grid.rows[0][1], heat.grid.rows[1][1:]) == ("0.000", ("0.000", "0.000"))
    assert float(heat.grid.rows[0][2]) > 1


def test_scores_that_move_are_told_by_version(long_run: Run, contract: Contract, features: Features) -> None:
    long_run.score(0, [*day(0, 10, 0), *day(1, 10, 0.2)])
    # Another version may score otherwise: it is compared with its own first day.
    long_run.score(1, [*day(2, 10, 5), *day(3, 10, 5)], version="2")
    found = report(long_run, contract, features)
    assert found.sentences[1].startswith("Scores of version 1: moved far, the PSI is ")
    assert found.sentences[2].startswith(
        "Scores of version 2: not moved, the PSI is 0.000 at most (2026-03-05, against "
    )
    histogram, over_time, _ = found.charts
    assert histogram.grid.columns == ("score", ">clicks of version 1", ">clicks of version 2")
    assert sum(int(row[1]) for row in histogram.grid.rows) == 2 * LEAST_CLICKS
    assert [row[1] for row in over_time.grid.rows] == ["1", "1", "2", "2"]


def test_clicks_of_a_wrong_clock_are_counted_and_not_compared(
    long_run: Run, contract: Contract, features: Features
) -> None:
    stray = day(-20_000, 10, 0, clicks=3)
    long_run.score(0, [*day(0, 10, 0), *day(1, 10, 0), *stray])
    assert (
        "3 clicks in other periods, with few clicks or long ago, are not compared."
        in report(long_run, contract, features).sentences
    )


def test_single_day_is_compared_by_the_hour(long_run: Run, contract: Contract, features: Features) -> None:
    later = [click | {"at": START + timedelta(hours=2)} for click in day(0, 30, 0)]
    long_run.score(0, [*day(0, 10, 0), *later])
    assert report(long_run, contract, features).sentences[-1] == "1 feature of 2 moved: double_price."


def test_single_period_has_nothing_to_be_compared_with(long_run: Run, contract: Contract, features: Features) -> None:
    long_run.score(0, day(0, 10, 0))
    found = report(long_run, contract, features)
    assert found.sentences[-1] == "There is no second hour to compare it with."
    assert len(found.charts) == 2


def test_few_clicks_are_not_compared(run: Run, contract: Contract, features: Features) -> None:
    found = report(run, contract, features)
    assert (found.sentences, found.charts) == (("No day has 500 clicks or more: too few to compare.",), ())


def test_features_that_the_table_cannot_give_are_left_out(
    long_run: Run, contract: Contract, features: Features, tmp_path: Path
) -> None:
    without = [
        {name: value for name, value in click.items() if name != "price"} for click in [*day(0, 1, 0), *day(1, 1, 0)]
    ]
    narrow = Run(tmp_path / "narrow", contract.click.remove(contract.click.get_field_index("price")))
    narrow.score(0, without)
    narrow.reject(0, [])
    said = report(narrow, contract, features).sentences[-1]
    assert f"lacks price, which {features.where} reads: no feature is compared." in said


@pytest.mark.parametrize(("select", "said"), [
    ("SELECT ln(price) AS l FROM click", "Features are not compared: DuckDB cannot compute"),
    ("SELECT visitor AS who FROM click", "has no feature that is a number: none is compared."),
])  # fmt: skip
def test_features_file_that_gives_no_numbers_is_told(
    long_run: Run, contract: Contract, tmp_path: Path, select: str, said: str
) -> None:
    file = tmp_path / "features.sql"
    file.write_text(select)
    long_run.score(0, [*day(0, -5, 0), *day(1, -5, 0)])
    found = report(long_run, contract, read_features(file, contract.click))
    assert said in found.sentences[-1]
    assert len(found.charts) == 2
