"""Delta tables by path, read with delta-rs: their rows as an Arrow dataset, and what their newest commits say."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, DeltaProtocolError, TableNotFoundError

from clickscore.errors import TableError, gist

_UNKNOWN_SCHEME = "Unknown scheme"
"""The words of delta-rs about a storage that it does not know; the class of the error is that of a missing table."""
NEWEST_COMMITS = 500
"""Commits of a table whose words are read; each is a file of its own."""
_MILLISECONDS = 1_000
_READERS, _DECODERS = 2, 1
"""Threads: DuckDB computes meanwhile, and more of them only fill the memory with rows that wait for it."""


@dataclass(frozen=True)
class BatchCommit:
    """The commit that holds all rows of a micro-batch in a table.

    Attributes:
        batch_id: the micro-batch.
        at: when it was committed, UTC.
        rows: how many it wrote; None where the writer does not say.
    """

    batch_id: int
    at: datetime
    rows: int | None


@dataclass(frozen=True)
class StoredTable:
    """A table as it was when it was opened.

    Attributes:
        name: its path.
        version: the version of the table that is read.
        rows: its rows.
        commits: the newest commits of micro-batches, newest first.
    """

    name: str
    version: int
    rows: ds.Dataset
    commits: tuple[BatchCommit, ...]


def read_frugally() -> None:
    """Let Arrow, in this whole process, read ahead by little and give memory back at once."""
    pa.set_memory_pool(pa.system_memory_pool())
    pa.set_io_thread_count(_READERS)
    pa.set_cpu_count(_DECODERS)


def beside(name: str, other: str) -> str:
    """Return the path of the table ``other`` in the folder of the table ``name``."""
    parent, slash, _ = name.rstrip("/").rpartition("/")
    return f"{parent}{slash}{other}"


def open_table(name: str, columns: Iterable[str], options: Mapping[str, str]) -> StoredTable | None:
    """Open a table at its newest version.

    Args:
        name: its path, on any storage that delta-rs knows.
        columns: those that it must have.
        options: of the storage, as delta-rs names them.

    Returns:
        The table; None if there is none.

    Raises:
        TableError: if it cannot be read, or lacks a column.
    """
    if "/" not in name:
        raise TableError(
            f"{name} is the name of a table in a catalog, and the report reads tables by path, without Spark. Name "
            f"the paths with --set output.scored=PATH --set output.rejected=PATH; DESCRIBE DETAIL {name} shows its "
            f"own as `location`."
        )
    try:
        table = DeltaTable(name, storage_options=dict(options))
        rows = table.to_pyarrow_dataset()
        commits = tuple(of_batches(table.history(NEWEST_COMMITS)))
    except TableNotFoundError as error:
        if _UNKNOWN_SCHEME in str(error):
            raise unreadable(name, error) from None
        return None
    except DeltaProtocolError as error:
        raise TableError(
            f"{name} cannot be read without Spark: {gist(error)} Copy the table without the feature "
            f"(CREATE TABLE ... CLONE does not drop it, CREATE TABLE ... AS SELECT does), or drop it with ALTER TABLE "
            f"... DROP FEATURE."
        ) from None
    except (DeltaError, OSError) as error:  # the latter of a storage that does not answer, or refuses
        raise unreadable(name, error) from None
    if missing := [column for column in columns if column not in rows.schema.names]:
        raise TableError(
            f"{name} is a table of something else: expected the columns {', '.join(columns)}, found no "
            f"{' and no '.join(missing)}. Name the tables of a run under output in the configuration."
        )
    return StoredTable(name, table.version(), rows, commits)


def unreadable(name: str, error: Exception) -> TableError:
    """Return the error about a table that cannot be read."""
    return TableError(
        f"{name} cannot be read: {gist(error)}. Expected a Delta table; check the path, the rights to it, and "
        f"--storage-option for a storage that asks for more than its environment variables say."
    )


def of_batches(history: Iterable[Mapping[str, Any]]) -> Iterator[BatchCommit]:
    """Yield the commits of micro-batches among those of a table's history."""
    for commit in history:
        try:
            about = json.loads(commit.get("userMetadata") or "null")
        except ValueError:  # the words of another writer
            continue
        if isinstance(about, dict) and isinstance(batch_id := about.get("batch"), int):
            rows = commit.get("operationMetrics", {}).get("numOutputRows")
            at = datetime.fromtimestamp(commit["timestamp"] / _MILLISECONDS, timezone.utc)
            yield BatchCommit(batch_id, at, None if rows is None else int(rows))
