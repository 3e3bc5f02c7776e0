import pyarrow as pa
from tests.support.run_tables import Run

from clickscore.report import pending
from clickscore.report.run_tables import open_tables
from clickscore.scoring import Contract


def test_table_that_is_not_there_is_said_to_be_missing_and_draws_nothing(run: Run, contract: Contract) -> None:
    tables = open_tables(run.output, contract, {})
    for found, table in ((pending.outcomes(tables), "outcomes"), (pending.cost(tables), "stream_metrics")):
        [said] = found.sentences
        assert said.startswith("Unknown: ")
        assert f"there is no {'table ' if table == 'outcomes' else ''}{table} beside {tables.scored.name}" in said
        assert (found.charts, found.grids) == ((), ())


def test_table_that_is_there_is_not_read_yet(run: Run, contract: Contract) -> None:
    for name in ("outcomes", "stream_metrics"):
        run.append(name, [{"a": 1}], pa.schema([("a", pa.int64())]))
    tables = open_tables(run.output, contract, {})
    for found in (pending.outcomes(tables), pending.cost(tables)):
        assert found.sentences[0].startswith(f"This version of the report does not read {run.folder}")
