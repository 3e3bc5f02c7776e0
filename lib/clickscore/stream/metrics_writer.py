"""The writer of ``stream_metrics``: rows wait in the checkpoint, and go to the table a minute's worth at a time.

The row of a micro-batch is kept before Spark hears that it is done. So a run that is killed has either kept it, and the
next run appends it, or Spark gives the micro-batch out again. Micro-batches are finished in their order, and the commit
of some rows names the last of them: rows up to there are in the table and are not appended again, whatever was killed
between the commit and the removal of the kept rows. The fence of the stream holds for this table as for the others.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from clickscore.console import counted
from clickscore.errors import gist
from clickscore.monitoring.batch_metrics import Ends, has_batch, with_progress
from clickscore.storage.fence import RUN_PROPERTY
from clickscore.storage.stream_metrics import STREAM_METRICS, KeptRows, as_frame
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch
from clickscore.storage.transactions import last_batch
from clickscore.stream.output_tables import Binding

COMMIT_EVERY_S = 60.0
"""Between two commits: one costs about as much as a small micro-batch, which comes every few seconds."""
LOOK_EVERY_S = 5.0
SETTLED_AFTER_S = 2.0
"""Age of a row that is appended while the stream runs: by then Spark has told how long its micro-batch took."""

Row = dict[str, Any]


@dataclass
class MetricsWriter:
    """Keeps the rows of micro-batches, and appends them in a thread of its own; whatever fails, the stream goes on.

    Attributes:
        spark: the session.
        table: ``stream_metrics``.
        kept: the rows in the checkpoint.
        binding: of the tables to this stream and this run.
        ends: of the kind of the source.
        tell: prints a line on the console.
    """

    spark: SparkSession
    table: Table
    kept: KeptRows
    binding: Binding
    ends: Ends
    tell: Callable[[str], None]
    _waiting: dict[int, tuple[Row, float]] = field(default_factory=dict)
    _last: int | None = None
    _is_failing: bool = False
    _query: StreamingQuery | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Begin with the rows that earlier runs have kept; no micro-batch may be running yet."""
        self._try(self._take_over, "read from the checkpoint")
        self._thread = threading.Thread(target=self._run, name="stream-metrics", daemon=True)
        self._thread.start()

    def add(self, row: Row) -> None:
        """Keep the row of a micro-batch that is done; called before Spark hears of it."""
        with self._lock:
            self._waiting[row["batch_id"]] = row, time.monotonic()
        self._try(lambda: self.kept.add(row), "kept in the checkpoint")

    def sees(self, query: StreamingQuery) -> None:
        """Note which query runs: it tells how long the micro-batches took."""
        self._query = query

    def close(self) -> None:
        """Append what waits; what cannot be appended is left to the next run."""
        self._stopping.set()
        self._thread.join()
        self._try(self._append, "appended")

    def _run(self) -> None:
        committed = time.monotonic()
        while not self._stopping.wait(LOOK_EVERY_S):
            if time.monotonic() - committed >= COMMIT_EVERY_S and self._waiting:
                self._try(lambda: self._append(SETTLED_AFTER_S), "appended")
                committed = time.monotonic()

    def _take_over(self) -> None:
        for row in self.kept.read():
            self._waiting[row["batch_id"]] = row, time.monotonic()

    def _append(self, settled_s: float = 0.0) -> None:
        with self._lock:
            until = time.monotonic() - settled_s
            rows = {batch_id: row for batch_id, (row, since) in sorted(self._waiting.items()) if since <= until}
        if not rows:
            return
        if self._last is None:
            self._last = self._take_table()
        if fresh := self._with_progress({batch_id: row for batch_id, row in rows.items() if batch_id > self._last}):
            last, self._last = max(fresh), None  # where an append fails, it may have been committed all the same
            frame = self.binding.fence.guard(as_frame(self.spark, fresh.values()))
            self.table.append(frame, of_batch(self.binding.stream, last))
            self._last = last
        self.kept.remove(rows)
        with self._lock:
            for batch_id, row in rows.items():
                if self._waiting[batch_id][0] is row:
                    del self._waiting[batch_id]

    def _take_table(self) -> int:
        """Make the table ours, after the fence was put up; return the last micro-batch that is in it."""
        ours = {STREAM_PROPERTY: self.binding.stream, RUN_PROPERTY: self.binding.fence.run_id}
        # A run that was replaced can append only to a table that was there before the fence was put up.
        is_new = not self.table.exists(self.spark)
        self.table.create(self.spark, STREAM_METRICS, ["batch_id"], ours)
        return -1 if is_new else last_batch(self.spark, self.table, self.binding.stream)

    def _with_progress(self, rows: Mapping[int, Row]) -> dict[int, Row]:
        told = [json.loads(each.json) for each in self._query.recentProgress] if self._query and rows else []
        found = {progress["batchId"]: progress for progress in told if has_batch(progress)}
        return {
            batch_id: with_progress(row, found[batch_id], self.ends) if batch_id in found else row
            for batch_id, row in rows.items()
        }

    def _try(self, action: Callable[[], None], what: str) -> None:
        try:
            action()
            self._is_failing = False
        except Exception as error:  # of Spark, Delta, storage: no common class; else the thread would end unseen
            if not self._is_failing:
                why = gist(error).rstrip(".")
                rows = counted(len(self._waiting), "row")
                self.tell(
                    f"{self.table.name}: {rows} of micro-batches cannot be {what}: {why}. That is "
                    f"tried again every {COMMIT_EVERY_S:.0f} s, and by the next run; the stream goes on"
                )
            self._is_failing = True
