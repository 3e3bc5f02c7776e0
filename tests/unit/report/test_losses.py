from pathlib import Path

import pytest
from deltalake import DeltaTable
from tests.support.run_tables import Run

from clickscore.report import losses
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract


@pytest.fixture
def stream(tmp_path: Path, contract: Contract) -> Run:
    """A stream from Kafka: offsets 5, 6 and 8 are scored, 7 is rejected."""
    run = Run(tmp_path / "stream", contract.click)
    run.score(0, [{"source": "clicks-0", "source_offset": offset} for offset in (5, 6, 8)])
    run.reject(0, [{"source": "clicks-0", "source_offset": 7}])
    return run


def said(run: Run, contract: Contract) -> list[str]:
    return list(losses.section(open_tables(run.output, contract, {})).sentences)


def test_rows_are_those_of_the_commits_and_of_the_offsets(stream: Run, contract: Contract) -> None:
    assert said(stream, contract)[:5] == [
        "3 scored + 1 rejected = 4 records in exactly one row each.",
        "scored_clicks has exactly the rows that its log counts, over the newest 1 micro-batch.",
        "rejected_clicks has exactly the rows that its log counts, over the newest 1 micro-batch.",
        "Every offset of 1 partition has one row, from the first to the last one.",
        "No gap in the source was accepted: there is no table source_gaps.",
    ]


def test_records_that_were_read_are_those_of_the_metrics(stream: Run, contract: Contract) -> None:
    assert (
        "How many records were read, and how many duplicates were counted, is not in the tables"
        in said(stream, contract)[-1]
    )
    stream.measure({"duplicates": 2, "read": 12}, {"duplicates": None})
    counted = "stream_metrics counts, over 2 micro-batches: 18 scored + 2 rejected + 2 duplicates"
    assert said(stream, contract)[-1].startswith(f"{counted} = 22 read. jobs/audit.py")
    stream.measure({"batch_id": 2, "read": 13})
    assert " + 2 duplicates differ from 35 read by 3. " in said(stream, contract)[-1]


def test_metrics_without_a_row_are_said_to_be_empty(stream: Run, contract: Contract) -> None:
    stream.measure()
    assert said(stream, contract)[-1].startswith(f"{stream.folder}/stream_metrics has no row yet. jobs/audit.py")


def test_rows_that_somebody_has_deleted_are_noticed(stream: Run, contract: Contract) -> None:
    DeltaTable(stream.output.scored).delete("source_offset = 6")
    found = said(stream, contract)
    assert "micro-batch 0 wrote 3 rows, 2 are there. Somebody has deleted or added rows." in found[1]
    assert found[3].startswith("Offsets without a row, between the first and the last row of a partition: 1.")


def test_rows_that_are_there_twice_are_noticed(stream: Run, contract: Contract) -> None:
    stream.score(1, [{"source": "clicks-0", "source_offset": 8}])
    assert "clicks-0: more rows than offsets. Run jobs/audit.py, which names the duplicates." in said(stream, contract)


def test_accepted_gap_explains_offsets_without_a_row(stream: Run, contract: Contract) -> None:
    stream.score(1, [{"source": "clicks-0", "source_offset": 12}])
    # What was lost before the first row lies between no two of them.
    stream.lose({"first_offset": 9, "last_offset": 11}, {"first_offset": 0, "last_offset": 4}, {"first_offset": 3})
    found = losses.section(open_tables(stream.output, contract, {}))
    assert "Every offset of 1 partition has one row, from the first to the last one." in found.sentences
    assert "Records lost in accepted gaps: 8, and 1 gap of unknown length." in found.sentences
    [_, (_, offsets), (_, gaps)] = found.grids
    assert offsets.rows == (("clicks-0", "5", "12", "5", "3", "0"),)
    assert len(gaps.rows) == 3


def test_source_without_offsets_has_no_grid_of_them(run: Run, contract: Contract) -> None:
    assert [title for title, _ in losses.section(open_tables(run.output, contract, {})).grids] == [
        "Where the records are"
    ]


def test_log_that_no_longer_tells_is_said_to(tmp_path: Path, contract: Contract, run: Run) -> None:
    for log in Path(run.output.scored).glob("_delta_log/*.json"):
        log.write_text(log.read_text().replace("numOutputRows", "other"))
    assert said(run, contract)[1] == "The log of scored_clicks no longer says how many rows its micro-batches wrote."
