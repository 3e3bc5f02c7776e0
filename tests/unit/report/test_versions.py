import shutil
from datetime import timedelta
from pathlib import Path

from tests.support.run_tables import START, Run

from clickscore.report import versions
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract


def test_swap_is_told_and_marked(run: Run, contract: Contract) -> None:
    found = versions.section(open_tables(run.output, contract, {}))
    assert found.sentences == (
        "shop version 2 has scored since micro-batch 1, 2026-03-02 12:01:00 UTC. The version changed 1 time.",
    )
    [chart] = found.charts
    assert chart.grid.rows == (
        ("2", "1", "1", "2026-03-02 12:01:00", "2026-03-02 12:01:00", "1"),
        ("1", "0", "0", "2026-03-02 12:00:00", "2026-03-02 12:00:00", "3"),
    )
    rules = chart.spec["datasets"][chart.spec["layer"][-1]["data"]["name"]]
    assert [rule["name"] for rule in rules] == ["version 2 takes over"]
    [(_, decisions)] = found.grids
    assert [row[3] for row in decisions.rows] == ["2", "1"]


def test_version_that_comes_back_has_two_spans(run: Run, contract: Contract) -> None:
    run.score(2, [{}], version="1")
    run.score(-1, [{}], version="9")
    [chart] = versions.section(open_tables(run.output, contract, {})).charts
    assert [row[0] for row in chart.grid.rows] == ["1", "2", "1"]


def test_decision_from_before_there_were_roles_is_that_of_a_champion(run: Run, contract: Contract) -> None:
    run.decide({"from_batch": 9, "role": None, "event": None, "pinned_at": START + timedelta(days=1)})
    [(_, decisions)] = versions.section(open_tables(run.output, contract, {})).grids
    assert decisions.rows[0][1:] == ("9", "shop", "1", "champion", "scores", "–")


def test_timeline_may_be_missing(run: Run, contract: Contract) -> None:
    shutil.rmtree(run.folder / "model_timeline")
    found = versions.section(open_tables(run.output, contract, {}))
    assert found.sentences[-1].startswith("There is no model_timeline beside")
    assert found.grids == ()


def test_run_that_has_scored_nothing_has_no_versions(tmp_path: Path, contract: Contract) -> None:
    run = Run(tmp_path, contract.click)
    run.score(0, [])
    run.reject(0, [{}])
    found = versions.section(open_tables(run.output, contract, {}))
    assert (found.sentences, found.charts) == (("No micro-batch has scored a click.",), ())
