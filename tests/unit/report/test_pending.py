import pyarrow as pa
from tests.support.run_tables import Run

from clickscore.report import pending
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract


def test_table_that_is_not_there_is_said_to_be_missing_and_draws_nothing(run: Run, contract: Contract) -> None:
    tables = open_tables(run.output, contract, {})
    found = pending.outcomes(tables)
    [said] = found.sentences
    assert said.startswith(f"Unknown: there is no table outcomes beside {tables.scored.name}")
    assert (found.charts, found.grids) == ((), ())


def test_table_that_is_there_is_not_read_yet(run: Run, contract: Contract) -> None:
    run.append("outcomes", [{"a": 1}], pa.schema([("a", pa.int64())]))
    found = pending.outcomes(open_tables(run.output, contract, {}))
    assert found.sentences[0].startswith(f"This version of the report does not read {run.folder}")
