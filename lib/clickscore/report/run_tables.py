"""The tables of a run in one DuckDB: rows that the sections aggregate, never more than aggregates in memory."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy.typing as npt
import pyarrow as pa

from clickscore.config.output import Output
from clickscore.errors import TableError, gist
from clickscore.report.delta_tables import BatchCommit, StoredTable, beside, open_table
from clickscore.scoring.contract import Contract
from clickscore.scoring.feature_engine import quoted

SCORED = ("score", "model_name", "model_version", "scored_at", "source", "source_offset", "batch_id")
REJECTED = ("raw", "reason", "detail", "source", "source_offset", "received_at", "batch_id")
TIMELINE = ("from_batch", "model_name", "model_version", "pinned_at", "role", "event", "reason")
METRICS = ("batch_id", "finished_at", "read", "scored", "rejected", "duplicates", "phase_seconds", "cpu_seconds")
COUNTED = ("score_histogram", "feature_histograms", "baseline")
"""Columns that ``stream_metrics`` lacks where only an earlier version has written it."""
GAPS = ("source", "first_offset", "last_offset", "reason", "detected_at")
OUTCOMES = ("unit_id", "state", "success", "clicks", "until")
_SETTINGS = (
    "SET TimeZone = 'UTC'",
    "SET memory_limit = '512MB'",  # far more than the aggregates take; the rows pass through
    "SET preserve_insertion_order = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET enable_external_access = false",
)
_NO_GAPS = """
CREATE VIEW gaps AS
SELECT NULL::VARCHAR AS source, NULL::BIGINT AS first_offset, NULL::BIGINT AS last_offset WHERE false
"""
_ONCE_REPLAYED = "replay_id"
"""A column that the first replay adds: the replay that has scored the record."""


@dataclass(frozen=True)
class RunTables:
    """The tables of a run.

    Attributes:
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
        timeline: ``model_timeline``.
        gaps: ``source_gaps``; None as long as there is no gap.
        metrics: ``stream_metrics``, where it exists.
        outcomes: ``outcomes``, where it exists.
        contract: the fields of a click, and the roles of some.
        database: has the views ``scored`` (``scored_clicks`` with ``_event_s``, the click's time in seconds since
            1970), ``rejected`` (with ``_is_open``, whether no replay has scored it), ``timeline``, ``gaps``,
            ``metrics`` and ``outcomes``, where these tables exist, and the table ``micro_batch``: rows per
            micro-batch and version.
    """

    scored: StoredTable
    rejected: StoredTable
    timeline: StoredTable | None
    gaps: StoredTable | None
    metrics: StoredTable | None
    outcomes: StoredTable | None
    contract: Contract
    database: duckdb.DuckDBPyConnection

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            TableError: if a file of a table is gone, or cannot be read.
        """
        with _readable(f"{self.scored.name} and the tables beside it"):
            return self.database.execute(query, list(values)).fetchall()

    def ask_columns(self, query: str, *values: object) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of a query, none of which is ever null.

        Raises:
            TableError: if a file of a table is gone, or cannot be read.
        """
        with _readable(f"{self.scored.name} and the tables beside it"):
            found: dict[str, npt.NDArray[Any]] = self.database.execute(query, list(values)).fetchnumpy()
            return found

    def of_batches(self) -> Iterator[tuple[StoredTable, BatchCommit]]:
        """Yield the newest commits of micro-batches in both main tables."""
        for table in (self.scored, self.rejected):
            yield from ((table, commit) for commit in table.commits)


def open_tables(output: Output, contract: Contract, options: Mapping[str, str]) -> RunTables:
    """Open the tables of a run.

    Args:
        output: their names.
        contract: the fields of a click.
        options: of the storage, as delta-rs names them.

    Raises:
        TableError: if one of the two main tables is missing, empty or of something else, or a table cannot be read.
    """
    scored = _main(output.scored, (contract.id, contract.time, contract.visitor, *SCORED), options)
    rejected = _main(output.rejected, REJECTED, options)

    def other(name: str, columns: Iterable[str] = ()) -> StoredTable | None:
        return open_table(beside(output.scored, name), columns, options)

    tables = RunTables(
        scored, rejected, other("model_timeline", TIMELINE), other("source_gaps", GAPS),
        other("stream_metrics", METRICS), other("outcomes", OUTCOMES), contract, duckdb.connect(":memory:"),
    )  # fmt: skip
    _prepare(tables)
    if not tables.ask("SELECT 1 FROM micro_batch LIMIT 1"):
        raise TableError(
            f"{scored.name} and {rejected.name} have no row yet: there is nothing to report. Run "
            f"jobs/score_stream.py first; if it has run, its source had no records."
        )
    return tables


def _main(name: str, columns: Iterable[str], options: Mapping[str, str]) -> StoredTable:
    if (table := open_table(name, columns, options)) is None:
        raise TableError(
            f"{name} does not exist: expected a Delta table that jobs/score_stream.py has written. Run it first, or "
            f"name another path under output in the configuration."
        )
    return table


def _prepare(tables: RunTables) -> None:
    database = tables.database
    # Before the files are closed off: the dataset is an object of this process, and no file to DuckDB.
    for name, table in (
        ("stored_scored", tables.scored), ("stored_rejected", tables.rejected),
        ("timeline", tables.timeline), ("gaps", tables.gaps), ("metrics", tables.metrics),
        ("outcomes", tables.outcomes),
    ):  # fmt: skip
        if table is not None:
            database.register(name, table.rows)
    for setting in _SETTINGS:
        database.execute(setting)
    is_open = f"{_ONCE_REPLAYED} IS NULL" if _ONCE_REPLAYED in tables.rejected.rows.schema.names else "true"
    if tables.gaps is None:
        database.execute(_NO_GAPS)
    database.execute(f"CREATE VIEW rejected AS FROM stored_rejected SELECT *, {is_open} AS _is_open")
    event_s = f"epoch_us({quoted(tables.contract.time)}) / 1e6"
    database.execute(f"CREATE VIEW scored AS FROM stored_scored SELECT *, {event_s} AS _event_s")
    with _readable(f"{tables.scored.name} and {tables.rejected.name}"):
        database.execute(
            """
            CREATE TABLE micro_batch AS
            SELECT batch_id, model_version, min(began_s) AS began_s, sum(scored)::BIGINT AS scored,
              sum(rejected)::BIGINT AS rejected, sum(still_open)::BIGINT AS still_open
            FROM (
              SELECT batch_id, model_version, min(epoch_us(scored_at)) / 1e6 AS began_s, count(*) AS scored,
                0 AS rejected, 0 AS still_open
              FROM scored GROUP BY ALL
              UNION ALL
              SELECT batch_id, NULL, min(epoch_us(received_at)) / 1e6, 0, count(*), count(*) FILTER (_is_open)
              FROM rejected GROUP BY ALL
            )
            GROUP BY ALL
            """
        )


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    # DuckDB passes on what Arrow and delta-rs say about a file as an error of its own.
    except (duckdb.IOException, duckdb.InvalidInputException, pa.ArrowException, OSError) as error:
        raise TableError(
            f"{what} cannot be read to the end: {gist(error)} If VACUUM has just removed old files, start again."
        ) from None
