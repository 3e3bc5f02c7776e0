import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from tests.support.run_tables import REJECTED, Run

from clickscore.config.output import Output
from clickscore.errors import TableError
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract


def test_rows_are_counted_by_micro_batch_and_version(run: Run, contract: Contract) -> None:
    tables = open_tables(run.output, contract, {})
    assert sorted(tables.ask("SELECT batch_id, scored, rejected, still_open, model_version FROM micro_batch")) == [
        (0, 0, 1, 1, None), (0, 3, 0, 0, "1"), (1, 1, 0, 0, "2"),
    ]  # fmt: skip
    assert tables.ask("SELECT DISTINCT _event_s FROM scored WHERE batch_id = 0") == [(1772452770.0,)]


def test_record_that_a_replay_has_scored_is_not_open(run: Run, contract: Contract) -> None:
    shutil.rmtree(run.output.rejected)
    rows = [{"reason": "x", "batch_id": 0, "replay_id": -1}, {"reason": "x", "batch_id": 0}]
    run.append("rejected_clicks", rows, REJECTED.append(pa.field("replay_id", pa.int64())))
    tables = open_tables(run.output, contract, {})
    assert tables.ask("SELECT rejected, still_open FROM micro_batch WHERE rejected > 0") == [(2, 1)]


def test_tables_that_not_every_run_has_may_be_missing(run: Run, contract: Contract) -> None:
    tables = open_tables(run.output, contract, {})
    assert (tables.gaps, tables.metrics, tables.outcomes) == (None, None, None)
    assert tables.timeline is not None
    assert tables.ask("SELECT count(*) FROM gaps") == [(0,)]


@pytest.mark.parametrize("name", ["scored_clicks", "rejected_clicks"])
def test_main_table_that_is_missing_is_named(run: Run, contract: Contract, name: str) -> None:
    shutil.rmtree(run.folder / name)
    with pytest.raises(TableError, match=f"{name} does not exist: expected a Delta table that jobs/score_stream.py"):
        open_tables(run.output, contract, {})


def test_empty_tables_are_nothing_to_report(tmp_path: Path, contract: Contract) -> None:
    run = Run(tmp_path, contract.click)
    run.score(0, [])
    run.reject(0, [])
    with pytest.raises(
        TableError, match=r"have no row yet: there is nothing to report\. Run jobs/score_stream\.py first"
    ):
        open_tables(run.output, contract, {})


def test_two_tables_that_are_swapped_are_noticed(run: Run, contract: Contract) -> None:
    with pytest.raises(TableError, match="rejected_clicks is a table of something else"):
        open_tables(Output(scored=run.output.rejected, rejected=run.output.scored), contract, {})


def test_file_that_is_gone_is_one_message(run: Run, contract: Contract) -> None:
    for file in Path(run.output.scored).glob("*.parquet"):
        file.unlink()
    with pytest.raises(TableError, match=r"cannot be read to the end: .* If VACUUM has just removed old files"):
        open_tables(run.output, contract, {})
