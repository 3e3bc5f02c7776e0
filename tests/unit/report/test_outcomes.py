from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.support.run_tables import START, Run

from clickscore.config.outcome import Outcome
from clickscore.report import outcomes
from clickscore.report.run_tables import open_tables
from clickscore.report.sections import Section
from clickscore.scoring import Contract

BY_VISITOR = Outcome.model_validate({"success": "price > 100", "unit": "visitor", "window": "24 hours"})


def judged(run: Run, contract: Contract) -> Section:
    return outcomes.section(open_tables(run.output, contract, {}), BY_VISITOR)


@pytest.fixture
def followed(tmp_path: Path, contract: Contract) -> tuple[Run, list[dict[str, Any]]]:
    """Two days of 200 visitors with two clicks each; the first version guesses, the second one knows."""
    run, rng, every = Run(tmp_path / "run", contract.click), np.random.default_rng(1), []
    run.reject(0, [])
    for day in range(2):
        success = rng.random(200) < 0.3
        names = [f"{day}-{number}" for number in range(200)]
        clicks = [
            {"id": f"{name}{n}", "visitor": name, "at": START + timedelta(days=day), "version": str(day + 1),
             "score": float(np.clip(0.3 + day * (0.3 if won else -0.2) + rng.normal(0, 0.1), 0, 1)), "success": won}
            for name, won in zip(names, success.tolist(), strict=True) for n in range(2)
        ]  # fmt: skip
        run.score(day, [{k: v for k, v in one.items() if k not in ("version", "success")} for one in clicks],
                  version=str(day + 1), minutes=day * 24 * 60)  # fmt: skip
        run.follow(*({"unit_id": name, "success": won, "clicks": 2}
                     for name, won in zip(names, success.tolist(), strict=True)))  # fmt: skip
        every += clicks
    return run, every


def test_versions_are_judged_by_what_became_of_their_own_clicks(
    followed: tuple[Run, list[dict[str, Any]]], contract: Contract
) -> None:
    run, clicks = followed
    found = judged(run, contract)
    won = sum(one["success"] for one in clicks) // 2
    [said] = found.sentences
    assert said.startswith(
        f"Of 400 visitors whose time is over, {won} succeeded ({100 * won / 400:.1f}%); 0 are still "
    )
    [(_, grid)] = found.grids
    assert [row[:3] for row in grid.rows] == [("version 1", "400", "200"), ("version 2", "400", "200")]
    for row, version in zip(grid.rows, ("1", "2"), strict=True):
        mine = [one for one in clicks if one["version"] == version]
        area = roc_auc_score([one["success"] for one in mine], [one["score"] for one in mine])
        assert row[4].startswith(f"{area:.3f} (")
    assert [chart.name for chart in found.charts] == ["outcomes-auc", "outcomes-calibration", "outcomes-deciles"]
    by_day, _, by_decile = found.charts
    assert [row[:3] for row in by_day.grid.rows] == [
        ("2026-03-02", "version 1", "400"),
        ("2026-03-03", "version 2", "400"),
    ]
    lifts = [float(row[3]) for row in by_decile.grid.rows if row[0] == "version 2"]
    assert lifts[0] > 2 > 0.2 > lifts[-1]


def test_click_counts_only_within_the_time_of_its_unit_and_once_that_is_closed(run: Run, contract: Contract) -> None:
    run.score(2, [{"id": "e", "visitor": "w"}, {"id": "f", "visitor": "x"}, {"id": "g", "visitor": "y", "score": 0.9}])
    run.follow({"unit_id": "w", "state": "open", "success": None}, {"unit_id": "x", "until": START},
               {"unit_id": "y", "success": True}, {"unit_id": "z", "state": "censored", "success": None})  # fmt: skip
    found = judged(run, contract)
    assert found.sentences[0].startswith(
        "Of 2 visitors whose time is over, 1 succeeded (50.0%); 1 are still open, and 1"
    )
    [(_, grid)] = found.grids
    assert [row[:2] for row in grid.rows] == [("version 1", "1")]
    assert grid.rows[0][4] == "–"


def test_challenger_is_judged_on_the_clicks_that_it_scored(tmp_path: Path, contract: Contract) -> None:
    run = Run(tmp_path / "run", contract.click, is_challenged=True)
    run.reject(0, [])
    run.score(0, [{"id": "a", "visitor": "a", "challenger_score": 0.9, "challenger_version": "2"}, {"id": "b"}])
    run.follow({"unit_id": "a", "success": True}, {})
    [(_, grid)] = judged(run, contract).grids
    assert [row[:2] for row in grid.rows] == [("version 1", "2"), ("version 2 as challenger", "1")]


def test_many_clicks_are_sampled_by_unit(
    followed: tuple[Run, list[dict[str, Any]]], contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "MOST_CLICKS", 200)
    found = judged(followed[0], contract)
    assert found.sentences[1] == "The rest of this section covers 25.0% of the visitors, chosen at random."
    for _, clicks, units, *_ in found.grids[0][1].rows:
        assert 20 < int(units) < 90
        assert int(clicks) == 2 * int(units)


def test_what_is_unknown_is_said(run: Run, contract: Contract) -> None:
    tables = open_tables(run.output, contract, {})
    assert outcomes.section(tables, BY_VISITOR).sentences == (
        f"Unknown: there is no table outcomes beside {tables.scored.name}. jobs/join_outcomes.py writes it.",
    )
    run.follow({"unit_id": "nobody"})
    tables = open_tables(run.output, contract, {})
    assert outcomes.section(tables, None).sentences[0].endswith("the configuration must have the section outcome.")
    assert outcomes.section(tables, BY_VISITOR).sentences[1] == "No click of a version has a known outcome yet."
