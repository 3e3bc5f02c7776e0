"""A table that is looked at again and again: what its newest commits say, and the newest rows of a small one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from clickscore.report.delta_tables import BatchCommit, of_batches, unreadable

NEWEST_COMMITS = 100
"""Commits whose words are read when there is a new one; of a stream that commits every second, more than a minute."""


@dataclass
class Followed:
    """A table, which need not be there yet.

    Attributes:
        name: its path, on any storage that delta-rs knows.
        options: of the storage, as delta-rs names them.
        commits: its newest commits of micro-batches, newest first.
        rows: how many rows it has; None as long as it is not there.
    """

    name: str
    options: Mapping[str, str]
    commits: tuple[BatchCommit, ...] = ()
    rows: int | None = None
    _table: DeltaTable | None = None
    _version: int = field(default=-1)

    def look(self) -> bool:
        """Look at the newest version; tell whether it is another one than at the last look.

        Raises:
            TableError: if it cannot be read.
        """
        try:
            if self._table is None:
                self._table = DeltaTable(self.name, storage_options=dict(self.options))
            else:
                self._table.update_incremental()
            if self._table.version() == self._version:
                return False
            self.commits = tuple(of_batches(self._table.history(NEWEST_COMMITS)))
            self.rows, self._version = self._table.count() - _hidden_rows(self._table), self._table.version()
        except TableNotFoundError:
            self.commits, self.rows, self._table, self._version = (), None, None, -1
            return False
        except (DeltaError, OSError) as error:  # the latter of a storage that does not answer, or refuses
            self._table = None
            raise unreadable(self.name, error) from None
        return True

    def newest(
        self, order: str, columns: Sequence[str], least: int, younger: Sequence[str] = ()
    ) -> list[dict[str, Any]]:  # fmt: skip
        """Return the rows with at least a number in a column, in its order.

        Args:
            order: the column.
            columns: what is read.
            least: the number.
            younger: what is read too where the table has it; a table that an earlier version has written may not.

        Raises:
            TableError: if they cannot be read.
        """
        if self._table is None:
            return []
        try:
            rows = self._table.to_pyarrow_dataset()
            wanted = [*columns, *(name for name in younger if name in rows.schema.names)]
            found = rows.to_table(wanted, filter=ds.field(order) >= least)
        except (DeltaError, OSError, ValueError) as error:  # ValueError of Arrow: a column is missing
            raise unreadable(self.name, error) from None
        return list(found.sort_by(order).to_pylist(maps_as_pydicts="strict"))


def _hidden_rows(table: DeltaTable) -> int:
    """Return how many rows deletion vectors hide, which another engine's DELETE may write."""
    if "deletionVectors" not in (table.protocol().reader_features or ()):
        return 0
    kept = (
        pc.list_flatten(batch["selection_vector"])
        for batch in pa.RecordBatchReader.from_stream(table.deletion_vectors())
    )
    return sum(pc.sum(pc.invert(rows)).as_py() or 0 for rows in kept)
