from pathlib import Path

from tests.support.run_tables import Run

from clickscore.report import charts, rejections
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract


def test_reasons_are_counted_and_shown_with_a_masked_example(run: Run, contract: Contract) -> None:
    found = rejections.section(open_tables(run.output, contract, {}))
    assert found.sentences == (
        "Rejected records: 1, 20.0% of all; most often malformed_json (100.0% of the rejected).",
        "None of them has been scored by a replay.",
    )
    [(_, reasons), (_, examples)] = found.grids
    assert reasons.rows[0][:4] == ("malformed_json", "1", "100.0%", "1")
    assert examples.rows == (("malformed_json", "cut at 'xxxx'", '{"id": "xxxx"'),)


def test_rare_reasons_share_a_colour(tmp_path: Path, contract: Contract) -> None:
    run = Run(tmp_path, contract.click)
    run.score(0, [{}])
    kinds = len(charts.PALETTE) + 2
    run.reject(0, [{"reason": f"r{kind}"} for kind in range(kinds) for _ in range(kinds - kind)])
    [chart] = rejections.section(open_tables(run.output, contract, {})).charts
    assert chart.grid.columns[-2:] == (">r5", f">{rejections.REST}")
    assert chart.grid.rows == (("2026-03-02 12:00:00", "9", "8", "7", "6", "5", "4", "6"),)


def test_run_without_rejected_records_says_so(tmp_path: Path, contract: Contract) -> None:
    run = Run(tmp_path, contract.click)
    run.score(0, [{}])
    run.reject(0, [])
    found = rejections.section(open_tables(run.output, contract, {}))
    assert (found.sentences, found.charts, found.grids) == (("No record was rejected.",), (), ())
