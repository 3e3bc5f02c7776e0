"""The lag of a running stream: how long clicks may have been waiting, which no micro-batch reports."""

import json
from collections.abc import Mapping
from datetime import datetime, timezone
from time import monotonic
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from clickscore.config.run import Config
from clickscore.monitoring.health import Health
from clickscore.sources.kinds import kind_of
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.offset_log import Partition

LOOK_AFTER_S = 20
"""Age of what is known from which on files are looked at, and time between two looks: each is a small Spark job."""

MOST_MARKS = 100
"""Ends of the topics that are remembered while the stream does not reach them; more would make no answer better."""

Offsets = Mapping[Partition, int]


class StreamWatch:
    """Tells the health up to when everything in the source has been processed.

    A trigger processes what was in the source when it began, unless it reaches its limit. So:

    - A trigger that finds nothing new leaves nothing behind. Spark does not say when it was, but an idle stream looks
      once in each interval.
    - Kafka: Spark says how far a trigger read, and where the topics ended when it began; also a later trigger that gets
      there has processed everything that was there at that time.
    - Folder: Spark reads the oldest files first, so whatever is left came after the newest file that was read. A file
      with an old time of modification makes the answer too old, never too young.
    - Delta: Spark says which commit it reads next. If that does not exist nothing is left, else it is what waits. While
      the first snapshot of a table is read, it is unknown.

    A run that ends by itself has nothing to keep up with, and is not watched.
    """

    def __init__(self, spark: SparkSession, config: Config, health: Health) -> None:
        """Set the watch up; it costs nothing where no health is served."""
        self._spark, self._source, self._health = spark, config.source, health
        self._kind, self._checkpoint = kind_of(config.source), config.checkpoint
        self._interval_s = config.interval_s if config.health else None
        self._seen: tuple[str, int] | None = None
        self._marks: list[tuple[float, Offsets]] = []
        self._end: dict[str, Any] | None = None
        self._looked = monotonic()

    def look(self, query: StreamingQuery) -> None:
        """Look how far the stream is; called every second or so, by the thread that waits for its end."""
        if self._interval_s is None:
            return
        status, progress = query.status, query.lastProgress
        if progress and (str(progress["runId"]), progress["batchId"]) != self._seen:
            self._seen = (str(progress["runId"]), progress["batchId"])
            self._note(json.loads(progress.json))
        # Between two triggers; before the first one, the flags are the same, but the message is another.
        is_waiting = not status["isTriggerActive"] and status["message"].startswith("Waiting")
        if is_waiting and not status["isDataAvailable"]:
            self._marks.clear()
            self._end = None
            self._health.idle(self._interval_s)
        if self._end and self._is_time_to_look():
            self._looked = monotonic()
            ago_s = self._left_since(self._end)
            if ago_s is not None:
                self._health.caught_up(ago_s)

    def _note(self, progress: dict[str, Any]) -> None:
        [source] = progress["sources"]
        ends = self._kind.reported_ends(source)
        if ends is None:
            self._end = source["endOffset"]
            return
        read, latest = ends
        if len(self._marks) < MOST_MARKS:
            self._marks.append((monotonic() - _age(datetime.fromisoformat(progress["timestamp"])), latest))
        while self._marks and is_reached(self._marks[0][1], read):
            began, _ = self._marks.pop(0)
            self._health.caught_up(monotonic() - began)

    def _is_time_to_look(self) -> bool:
        oldest_s = self._health.oldest_s
        is_old = oldest_s is None or oldest_s > LOOK_AFTER_S
        return is_old and monotonic() - self._looked > LOOK_AFTER_S

    def _left_since(self, end: dict[str, Any]) -> float | None:
        """Return for how many seconds at most that has been waiting which the stream has not read; None if unknown."""
        try:
            since = self._kind.unread_since(self._spark, self._source, self._checkpoint, end)
        except SPARK_ERRORS:
            return None  # What cannot be read here is no reason to end a stream that can; the answer stays old.
        self._end = None
        return _age(since) if since else None


def is_reached(mark: Offsets, end: Offsets) -> bool:
    """Tell whether a stream that has read up to the end has read everything below the mark."""
    return all(end.get(partition, -1) >= offset for partition, offset in mark.items())


def _age(time: datetime) -> float:
    return max(0.0, (datetime.now(timezone.utc) - time).total_seconds())
