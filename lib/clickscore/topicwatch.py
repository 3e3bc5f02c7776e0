"""The watch over Kafka topics: tells what a stream would lose before it goes on, and records what it did lose."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.checkpoint import Checkpoint
from clickscore.gaps import AGED_OUT, Gap, find_gaps
from clickscore.offsets import planned_offsets, read_topic_state
from clickscore.schemas import SOURCE_GAPS
from clickscore.source_config import KafkaSource
from clickscore.tables import Table

TOPICS_PROPERTY = "clickscore.topics"
"""Table property with the ids of the topics that the stream reads."""


class TopicWatch:
    """Compares the checkpoint's offsets with the broker's."""

    def __init__(self, spark: SparkSession, source: KafkaSource, checkpoint: Checkpoint, scored: Table) -> None:
        """Remember which topics the stream has read so far; reads a property of ``scored_clicks``."""
        self._spark, self._source, self._checkpoint, self._scored = spark, source, checkpoint, scored
        known = scored.properties(spark).get(TOPICS_PROPERTY) if scored.exists(spark) else None
        self._known: dict[str, str] = json.loads(known or "{}")

    def gaps_ahead(self, last_done: int) -> list[Gap]:
        """Return what is lost if the stream goes on behind the last micro-batch that is done.

        Raises:
            SourceError: if the broker or a topic cannot be reached.
        """
        topics = read_topic_state(self._spark, self._source)
        start = planned_offsets(self._spark, self._checkpoint.path, last_done)
        return find_gaps(start, topics, self._known)

    def remember_topics(self) -> None:
        """Keep the ids of the topics, so that one that is made again under its old name is not taken for it."""
        ids = {**self._known, **read_topic_state(self._spark, self._source).ids}
        if ids != self._known:
            self._scored.set_property(self._spark, TOPICS_PROPERTY, json.dumps(ids))
            self._known = ids

    def record(self, batch_id: int, now: datetime, stream: str, rejected: Table) -> list[Gap]:
        """Append to ``source_gaps`` what a finished micro-batch went over, exactly once, and return it."""
        start, end = (
            planned_offsets(self._spark, self._checkpoint.path, number) for number in (batch_id - 1, batch_id)
        )
        topics = read_topic_state(self._spark, self._source)
        found = find_gaps(start, topics, self._known, end)
        gaps = self._without_read(found, batch_id, rejected)
        if gaps:
            table = self._scored.beside("source_gaps")
            table.create(self._spark, SOURCE_GAPS, ["source", "batch_id"], stream)
            rows = [(g.source, g.first, g.last, g.reason, g.detail, now, batch_id) for g in gaps]
            table.append(self._spark.createDataFrame(rows, SOURCE_GAPS), stream, batch_id)
        self.remember_topics()
        return gaps

    def _without_read(self, found: Iterable[Gap], batch_id: int, rejected: Table) -> list[Gap]:
        """Leave out what was read before it aged out: between the reading and the look at the broker, time passes."""
        gaps = []
        for gap in found:
            first_read = self._first_read(gap.source, batch_id, rejected) if gap.reason == AGED_OUT else None
            if first_read is None or gap.last is None or gap.last < first_read:
                gaps.append(gap)
            elif first_read > gap.first:
                gaps.append(replace(gap, last=first_read - 1))
        return gaps

    def _first_read(self, source: str, batch_id: int, rejected: Table) -> int | None:
        of_batch = (F.col("batch_id") == batch_id) & (F.col("source") == source)
        tables = (self._scored.read(self._spark), rejected.read(self._spark))
        firsts = [table.where(of_batch).agg(F.min("source_offset")).collect()[0][0] for table in tables]
        return min((first for first in firsts if first is not None), default=None)
