from datetime import timedelta
from pathlib import Path

from tests.support.run_tables import START, Run

from clickscore.report.features_over_time import count_features
from clickscore.report.periods import DAY
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract, read_features

MONDAY = int(START.timestamp()) // DAY * DAY


def test_every_click_is_in_one_bin_of_each_feature(tmp_path: Path, contract: Contract) -> None:
    file = tmp_path / "features.sql"
    file.write_text(
        "-- of all kinds\n"
        'SELECT isodow("at") AS weekday, price > 1 AS is_dear, visitor AS who, price / 2 AS half FROM click'
    )
    run = Run(tmp_path / "run", contract.click)
    run.score(0, [{"id": str(price), "price": price} for price in (1.0, 2.0, None)])
    run.score(1, [{"at": START + timedelta(days=1), "price": 9.0}, {"at": START - timedelta(days=9)}])
    run.reject(0, [])
    tables = open_tables(run.output, contract, {})
    counts = count_features(tables, read_features(file, contract.click), DAY, [MONDAY, MONDAY + DAY])
    some = {
        name: {day - MONDAY: {place: n for place, n in bins.items() if n} for day, bins in found.items()}
        for name, found in counts.items()
    }
    assert some == {
        "weekday": {0: {1: 3}, DAY: {2: 1}},  # Tuesday is above all of Monday
        "is_dear": {0: {-1: 1, 1: 1, 2: 1}, DAY: {2: 1}},
        "half": {0: {-1: 1, 1: 1, 2: 1}, DAY: {3: 1}},
    }


def test_features_that_are_no_numbers_have_no_bins(tmp_path: Path, contract: Contract, run: Run) -> None:
    file = tmp_path / "features.sql"
    file.write_text("SELECT visitor AS who FROM click")
    tables = open_tables(run.output, contract, {})
    assert count_features(tables, read_features(file, contract.click), DAY, [MONDAY]) == {}
