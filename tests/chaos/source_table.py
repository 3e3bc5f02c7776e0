"""Faults of a Delta table as source: rows that were appended are updated, deleted and moved while the stream reads."""

import random
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from tests.chaos.site import CLICKS, RUBBISH, Fault, Site

SHAPE = pa.schema([("body", pa.string()), ("part", pa.int64()), ("mark", pa.int64())])
SMALL = "16 KiB"
"""Most bytes of a micro-batch: a few files of the table, so that what follows finds the stream in the middle."""
APPENDS = 4
"""Commits of new rows before, and as many after, each commit that the stream must pass over."""


class TableSite(Site):
    """A site whose clicks are appended to a Delta table, by delta-rs, as JSON in a column.

    A copy of the table gets the appended rows alone: it is the source of the undisturbed run.
    """

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site."""
        self.source, self.copy = (str(home / name) for name in ("clicks", "clicks_appended"))
        self._parts = 0
        for table in (self.source, self.copy):
            DeltaTable.create(table, SHAPE)
        super().__init__(home, rng, source=self._section(self.source))

    @staticmethod
    def _section(table: str) -> dict[str, str]:
        return {"kind": "delta", "table": table, "column": "body", "changes": "skip", "max_bytes": SMALL}

    @property
    def table(self) -> DeltaTable:
        """The source, as it is now."""
        return DeltaTable(self.source)

    def send(self, clicks: int = CLICKS, rubbish: int = RUBBISH) -> None:
        """Append new rows, all in one part."""
        lines = self.records(clicks, rubbish)
        self._parts += 1
        marks = (self.rng.randrange(2) for _ in lines)
        rows = pa.table({"body": lines, "part": [self._parts] * len(lines), "mark": list(marks)}, SHAPE)
        for table in (self.source, self.copy):
            write_deltalake(table, rows, mode="append")

    def some_parts(self) -> str:
        """Return a condition for rows old and new: of parts that were read long ago, and of those being read now."""
        old = self.rng.sample(range(1, self._parts - APPENDS + 1), k=min(3, self._parts - APPENDS))
        new = range(self._parts - APPENDS + 1, self._parts + 1)
        return f"part IN ({', '.join(map(str, [*old, *new]))}) AND mark = 1"

    def finish(self) -> None:
        """Compare with a run over the rows as they were appended; the files of the copy have names of their own."""
        self.compare_undisturbed({"source": self._section(self.copy)}, lineage=())


def changed(change: Callable[[TableSite], object]) -> Fault:
    """Return the fault: the source changes while the stream is in the middle of rows that have come just now."""

    def meanwhile(site: Site) -> float:
        assert isinstance(site, TableSite)
        site.running()
        for _ in range(APPENDS):
            site.send()
        moment = monotonic()
        change(site)
        for _ in range(APPENDS):
            site.send()
        return moment

    return meanwhile


def update(site: TableSite) -> None:
    """Rewrite rows with another content, which nobody must ever see as a click."""
    changed = site.table.update({"body": "concat('updated: ', body)"}, predicate=site.some_parts())
    assert changed["num_updated_rows"]


def delete(site: TableSite) -> None:
    """Delete rows; those that were read stay scored, those that were not yet read are scored all the same."""
    changed = site.table.delete(site.some_parts())
    assert changed["num_deleted_rows"]


def optimise(site: TableSite) -> None:
    """Put all small files together; the rows stay as they are."""
    changed = site.table.optimize.compact()
    assert changed["numFilesRemoved"]


FAULTS: dict[str, Fault] = {
    "UPDATE of the source": changed(update),
    "DELETE in the source": changed(delete),
    "OPTIMIZE of the source": changed(optimise),
}
