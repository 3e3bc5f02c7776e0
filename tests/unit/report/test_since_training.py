"""Sums of the histograms of micro-batches against the baselines that stand beside them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.run_tables import COUNTED, START, Run

from clickscore.drift.baseline import Baseline
from clickscore.errors import TableError
from clickscore.report import movement
from clickscore.report.run_tables import open_tables
from clickscore.report.since_training import SinceTraining, compare
from clickscore.scoring import Contract, Features
from clickscore.scoring.histograms import Bins, ClickBins

BASELINE = Baseline(ClickBins(Bins((0.5,)), {"quantity": Bins((1.0,)), "double_price": Bins((10.0,))}),
                    (500, 500, 0, 990, 10, 0, 500, 500, 0))  # fmt: skip
LEAST = 100


def micro_batch(price: tuple[int, int, int] = (50, 50, 0), hours: float = 0, **more: Any) -> dict[str, Any]:
    """Return a row of 100 clicks, with the counts of their prices."""
    features = [("quantity", [99, 1, 0]), ("double_price", list(price))]
    return {
        "score_histogram": [50, 50, 0], "feature_histograms": features, "finished_at": START + timedelta(hours=hours),
        **more,
    }  # fmt: skip


FIRST = micro_batch(baseline=BASELINE.to_json())


@pytest.fixture
def long_run(tmp_path: Path, contract: Contract) -> Run:
    run = Run(tmp_path, contract.click)
    run.score(0, [{"id": "a"}])
    run.reject(0, [])
    return run


def compared(run: Run, contract: Contract, least: int = LEAST) -> SinceTraining | None:
    return compare(open_tables(run.output, contract, {}), least)


def test_what_has_moved_is_told_with_its_cause_and_what_has_not_is_not(long_run: Run, contract: Contract) -> None:
    moved = micro_batch((20, 20, 60), hours=30)
    long_run.measure(FIRST, micro_batch(), moved, moved, more=COUNTED)
    found = compared(long_run, contract)
    assert found
    reference, said = found.sentences
    assert reference.startswith("The reference is the baseline of each version: the clicks that were held out from")
    assert said.startswith("shop version 1: the score has not moved, its PSI is 0.003 at most (2026-03-0")
    assert "; 1 feature of 2 moved: double_price (" in said
    price, *others = found.chart.grid.rows
    assert price[0] == "double_price"
    assert float(price[1]) < 0.01 < 1 < float(price[2])
    assert {row[0] for row in others} == {"score", "quantity"}
    title, grid = found.grid
    assert title.startswith("shop version 1 against its baseline, the newest hour (2026-03-03 18:00)")
    assert (grid.rows[0][0], grid.rows[0][3:]) == (
        "double_price", ("0.00", "60.00", "nulls went from 0.00% to 60.00%"),
    )  # fmt: skip
    assert grid.rows[1][-1] == ""


def test_ignored_feature_is_drawn_and_not_called_moved(long_run: Run, contract: Contract) -> None:
    long_run.measure(FIRST, micro_batch((20, 20, 60), hours=30), more=COUNTED)
    found = compare(open_tables(long_run.output, contract, {}), LEAST, ("double_price", "hour_of_day"))
    assert found
    assert found.sentences[1].endswith("; no feature has moved.")
    assert found.chart.grid.rows[0][0] == "double_price"
    assert found.chart.note == "drift.ignore lets the text pass over double_price."


def test_each_version_is_compared_with_its_own_baseline_even_where_it_got_a_new_one(
    long_run: Run, contract: Contract
) -> None:
    cheap = Baseline(BASELINE.bins, (*BASELINE.counts[:6], 990, 10, 0))
    of_two = {"model_version": "2", "price": (99, 1, 0)}
    long_run.measure(
        FIRST, micro_batch(baseline=cheap.to_json(), **of_two), micro_batch((1, 99, 0), model_version="2", hours=1,
        baseline=BASELINE.to_json()), micro_batch((50, 50, 0), model_version="2", hours=2), more=COUNTED,
    )  # fmt: skip
    found = compared(long_run, contract)
    assert found
    assert [said.split(":")[0] for said in found.sentences[1:]] == ["shop version 1", "shop version 2"]
    assert "no feature has moved" in found.sentences[1]
    assert len(found.chart.grid.columns) == 3  # of version 2, the two periods with its newest baseline


def test_few_clicks_and_versions_without_a_baseline_are_not_compared(long_run: Run, contract: Contract) -> None:
    assert compared(long_run, contract) is None
    long_run.measure({}, {}, more=COUNTED)
    assert compared(long_run, contract) is None
    long_run.measure({**FIRST, "batch_id": 2}, more=COUNTED)
    assert compared(long_run, contract, LEAST + 1) is None


def test_table_of_an_earlier_version_has_nothing_to_compare(long_run: Run, contract: Contract) -> None:
    long_run.measure({})
    assert compared(long_run, contract) is None


def test_baseline_of_a_later_version_is_told(long_run: Run, contract: Contract) -> None:
    later = json.dumps({**json.loads(BASELINE.to_json()), "format": 2})
    long_run.measure(micro_batch(baseline=later), more=COUNTED)
    with pytest.raises(TableError, match="stream_metrics: baseline of shop version 1: expected a baseline of format 1"):
        compared(long_run, contract)


def test_section_prefers_the_baseline_to_the_first_period(
    long_run: Run, contract: Contract, features: Features
) -> None:
    clicks = [{"id": f"c{number}", "score": number / 500} for number in range(movement.LEAST_CLICKS)]
    long_run.score(1, clicks)
    long_run.measure(*[{**FIRST, "batch_id": number} for number in range(5)], more=COUNTED)
    found = movement.section(open_tables(long_run.output, contract, {}), features)
    assert found.sentences[1].startswith("shop version 1: the score has not moved")
    assert [chart.name for chart in found.charts] == ["scores", "scores-over-time", "features"]
    assert len(found.grids) == 1
