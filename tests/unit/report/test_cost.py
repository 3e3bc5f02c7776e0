from tests.support.run_tables import Run

from clickscore.report import cost
from clickscore.report.run_tables import open_tables
from clickscore.report.sections import Section
from clickscore.scoring import Contract


def section(run: Run, contract: Contract) -> Section:
    return cost.section(open_tables(run.output, contract, {}))


def test_run_without_metrics_is_said_to_have_none(run: Run, contract: Contract) -> None:
    found = section(run, contract)
    assert found.sentences[0].startswith("Unknown: CPU time is not in the tables, there is no stream_metrics beside")
    assert found.charts == ()


def test_metrics_without_cpu_time_draw_nothing(run: Run, contract: Contract) -> None:
    run.measure({"cpu_seconds": None}, {"cpu_seconds": None})
    found = section(run, contract)
    assert "stream_metrics has CPU time and records. make bench measures" in found.sentences[0]
    assert found.charts == ()


def test_cpu_time_is_that_of_the_records_since_the_last_row_that_has_it(run: Run, contract: Contract) -> None:
    # The first two rows cost 0.4 s together; what the last one has cost is not known yet.
    run.measure({"cpu_seconds": None}, {"cpu_seconds": 0.4}, {"cpu_seconds": 0.8}, {"cpu_seconds": None, "read": 500})
    found = section(run, contract)
    assert found.sentences[0].startswith("1 CPU seconds for 30 records: 40,000 per million.")
    [chart] = found.charts
    assert chart.grid.rows == (
        ("2026-03-02 12:01:00", "20", "0.4", "20,000"), ("2026-03-02 12:02:00", "10", "0.8", "80,000"),
    )  # fmt: skip
