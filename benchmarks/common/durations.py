"""What each micro-batch spends its time on, as Spark itself says: the ``durationMs`` of its progress."""

import json
import threading
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

TOTAL = "triggerExecution"
"""The key of a whole micro-batch."""
PARTS = ("latestOffset", "getBatch", "queryPlanning", "walCommit", "addBatch", "commitOffsets")
"""Its parts, in their order; what they leave of the whole is ``other``."""
ROWS = "rows"
LOOK_S = 5.0
"""Spark keeps the last 100 micro-batches, far more than can be done in this time."""
MS_PER_S = 1000.0

Batch = dict[str, float]
"""Seconds of a micro-batch by key, and its rows."""


class Durations:
    """Collects the durations of all micro-batches with rows, from a thread beside the stream.

    It asks now and then, because a listener in Python would be called at each micro-batch, between two of them.
    """

    def __init__(self, file: Path | None = None) -> None:
        """Begin with none; with a file, ``finish`` and every look write them there, a line of JSON for each."""
        self._file, self._batches = file, dict[tuple[str, int], Batch]()
        self._queries: dict[str, StreamingQuery] = {}
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, spark: SparkSession) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._watch, args=(spark,), name="durations", daemon=True)
        self._thread.start()

    def finish(self) -> list[Batch]:
        """Look for the last time; return the micro-batches in their order."""
        self._done.set()
        if self._thread:
            self._thread.join()
        return list(self._batches.values())

    def _watch(self, spark: SparkSession) -> None:
        is_last = False
        while not is_last:
            is_last = self._done.wait(LOOK_S)
            self._queries |= {str(query.runId): query for query in spark.streams.active}
            for run, query in self._queries.items():
                self._look(run, query)

    def _look(self, run: str, query: StreamingQuery) -> None:
        for progress in query.recentProgress:
            key = run, int(progress["batchId"])
            if key in self._batches or not progress["numInputRows"]:
                continue
            batch = {name: value / MS_PER_S for name, value in progress["durationMs"].items()}
            self._batches[key] = {**batch, ROWS: progress["numInputRows"]}
            if self._file:
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(self._batches[key]) + "\n")


def read_durations(file: Path) -> list[Batch]:
    """Return what a process has written."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
