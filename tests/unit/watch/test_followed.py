from pathlib import Path

import pytest
from tests.support.run_tables import Run

from clickscore.errors import TableError
from clickscore.scoring import Contract
from clickscore.watch.followed import Followed


def test_table_is_followed_from_before_it_is_there(tmp_path: Path, contract: Contract) -> None:
    run = Run(tmp_path, contract.click)
    table = Followed(run.output.scored, {})
    assert (table.look(), table.rows, table.commits) == (False, None, ())
    run.score(0, [{"id": "a"}, {"id": "b"}])
    assert (table.look(), table.rows, [commit.batch_id for commit in table.commits]) == (True, 2, [0])
    assert not table.look()
    run.score(1, [{"id": "c"}])
    assert (table.look(), table.rows, [commit.batch_id for commit in table.commits]) == (True, 3, [1, 0])


def test_newest_rows_come_in_their_order_with_maps_as_dictionaries(tmp_path: Path, contract: Contract) -> None:
    run = Run(tmp_path, contract.click)
    table = Followed(f"{tmp_path}/stream_metrics", {})
    assert table.newest("batch_id", ["batch_id"], 0) == []
    run.measure(*({"batch_id": number} for number in (3, 1, 2)))
    table.look()
    assert table.newest("batch_id", ["batch_id", "rejected_by_reason"], 2) == [
        {"batch_id": 2, "rejected_by_reason": {"malformed_json": 1}},
        {"batch_id": 3, "rejected_by_reason": {"malformed_json": 1}},
    ]
    with pytest.raises(TableError, match="stream_metrics cannot be read: "):
        table.newest("batch_id", ["nothing"], 0)


def test_table_that_cannot_be_read_is_read_once_it_can(tmp_path: Path, contract: Contract) -> None:
    run = Run(tmp_path, contract.click)
    run.score(0, [{"id": "a"}])
    log = tmp_path / "scored_clicks" / "_delta_log" / f"{0:020}.json"
    whole = log.read_text()
    log.write_text("rubbish")
    table = Followed(run.output.scored, {})
    with pytest.raises(TableError, match="scored_clicks cannot be read: "):
        table.look()
    log.write_text(whole)
    assert table.look()
