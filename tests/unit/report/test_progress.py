from datetime import timedelta

from tests.support.run_tables import START, Run

from clickscore.report import progress
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract


def test_figures_count_and_tell_the_age_of_the_newest_micro_batch(run: Run, contract: Contract) -> None:
    tables = open_tables(run.output, contract, {})
    found = progress.figures(tables, START + timedelta(minutes=11))
    assert [figure.value for figure in found] == ["4", "1", "10.0 min"]


def test_rate_lag_and_durations_are_told_with_their_numbers(run: Run, contract: Contract) -> None:
    found = progress.section(open_tables(run.output, contract, {}))
    assert found.sentences == (
        "2 micro-batches from 2026-03-02 12:00:00 to 2026-03-02 12:01:00 UTC.",
        "Of the newest 2 micro-batches, the median one took 2.0 s, the longest 2.0 s.",
        "In the newest 10 seconds, half of the clicks were scored within 30.0 s of the click, 95% within 30.0 s.",
    )
    rate, lag, durations = found.charts
    assert rate.grid.rows == (("2026-03-02 12:00:00", "3", "1", "0.4"), ("2026-03-02 12:01:00", "1", "0", "0.1"))
    assert lag.grid.rows[0] == ("2026-03-02 12:00:00", "3", "30.0 s", "30.0 s")
    assert durations.grid.rows[1] == ("0", "2026-03-02 12:00:00", "4", "2.0 s", "2")


def test_phases_are_shown_as_their_average_of_each_period(run: Run, contract: Contract) -> None:
    job = [("batch", 2.0), ("choose_model", 0.25), ("score", 1.5), ("reject", 0.25)]
    run.measure({"phase_seconds": [*job, ("spark.triggerExecution", 3.0)]}, {"phase_seconds": job[:1]})
    *_, phases = progress.section(open_tables(run.output, contract, {})).charts
    assert phases.name == "phases"
    assert phases.grid.rows == (
        ("2026-03-02 12:00:00", "1", "0.2 s", "1.5 s", "0.2 s", "1.0 s"),
        ("2026-03-02 12:01:00", "1", "0.0 s", "0.0 s", "0.0 s", "0.0 s"),
    )


def test_metrics_without_a_row_have_no_phases(run: Run, contract: Contract) -> None:
    run.measure()
    found = progress.section(open_tables(run.output, contract, {}))
    assert [chart.name for chart in found.charts] == ["rate", "lag", "durations"]


def test_clicks_of_a_replay_say_nothing_about_the_pace(run: Run, contract: Contract) -> None:
    before = progress.section(open_tables(run.output, contract, {}))
    run.score(-1, [{"id": "late"}], minutes=10_000)
    assert progress.section(open_tables(run.output, contract, {})) == before


def test_replay_alone_has_no_pace(tmp_path, contract: Contract) -> None:
    run = Run(tmp_path, contract.click)
    run.score(-1, [{"id": "late"}])
    run.reject(-1, [])
    found = progress.section(open_tables(run.output, contract, {}))
    assert (found.sentences, found.charts) == (("The tables hold rows of replays, and none of the stream.",), ())
