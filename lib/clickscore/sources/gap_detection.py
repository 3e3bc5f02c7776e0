"""Gap detection for Kafka topics: what a stream would lose before it continues, and what it has lost."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.config.source import KafkaSource
from clickscore.errors import TableError
from clickscore.sources.gaps import AGED_OUT, Gap, Topics, aged_out, find_gaps
from clickscore.sources.kafka_admin import read_topic_state
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.offset_log import Partition, planned_offsets
from clickscore.storage.schemas import SOURCE_GAPS
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch

TOPICS_PROPERTY = "clickscore.topics"
"""Table property with the ids of the topics that the stream reads: JSON in hexadecimal, because Spark hides a property
that happens to have ``url`` or ``token`` in it, as the name or the id of a topic may."""


Span = tuple[Partition, int, int]
"""A partition, its first offset, and the one behind its last."""


def read_topic_ids(spark: SparkSession, scored: Table) -> dict[str, str]:
    """Return the ids of the topics that a stream has read, as ``scored_clicks`` remembers them.

    Raises:
        TableError: if somebody has changed what the table remembers.
    """
    known = scored.properties(spark).get(TOPICS_PROPERTY) if scored.exists(spark) else None
    try:
        ids = json.loads(bytes.fromhex(known)) if known else {}
    except ValueError:
        ids = None
    if not isinstance(ids, dict):
        raise TableError(
            f"{scored.name}: the property {TOPICS_PROPERTY} should be JSON with the ids of topics, in hexadecimal, but "
            f"says {known!r}. Restore it; or forget the ids with\n"
            f"  ALTER TABLE {scored.sql_name} UNSET TBLPROPERTIES ('{TOPICS_PROPERTY}')\n"
            f"and a topic that was recreated since the last run is taken for the old one."
        )
    return ids


class TopicWatch:
    """Compares the checkpoint's offsets with the broker's."""

    def __init__(
        self, spark: SparkSession, source: KafkaSource, path: str, scored: Table, rejected: Table
    ) -> None:  # fmt: skip
        """Remember which topics the stream has read so far; reads a property of ``scored_clicks``.

        Args:
            spark: the session.
            source: the topics.
            path: the checkpoint.
            scored: ``scored_clicks``.
            rejected: ``rejected_clicks``.
        """
        self._spark, self._source, self._path, self._tables = spark, source, path, (scored, rejected)
        self.gaps_table = scored.beside("source_gaps")
        self._known = read_topic_ids(spark, scored)
        self._topics = Topics({}, {}, {})

    def gaps_ahead(self, checkpoint: Checkpoint) -> list[Gap]:
        """Return what is lost if the stream goes on from the checkpoint.

        Raises:
            SourceError: if the broker or a topic cannot be reached.
        """
        self._topics = read_topic_state(self._spark, self._source)
        is_interrupted = checkpoint.last_planned > checkpoint.last_done
        end = self._planned(checkpoint.last_planned) if is_interrupted else {}
        return find_gaps(self._planned(checkpoint.last_done), self._topics, self._known, end, is_done=False)

    def remember_topics(self) -> None:
        """Keep the ids of the topics that were seen last, so that a recreated topic is not mistaken for it."""
        ids = {**self._known, **self._topics.ids}
        if ids != self._known:
            self._tables[0].set_properties(self._spark, {TOPICS_PROPERTY: json.dumps(ids).encode().hex()})
            self._known = ids

    def record(self, batch_id: int, now: datetime, stream: str) -> None:
        """Append to ``source_gaps`` what a micro-batch went over whose clicks are in the tables, exactly once.

        Raises:
            SourceError: if the broker cannot be asked; the micro-batch is not done then.
        """
        self._topics = read_topic_state(self._spark, self._source)
        start, end = self._planned(batch_id - 1), self._planned(batch_id)
        found = find_gaps(start, self._topics, self._known, end, is_done=True)
        gaps = [gap for whole in found for gap in self._without_read(whole, batch_id)]
        self._append(gaps, batch_id, now, stream, (f"clickscore-{stream}", batch_id))
        self.remember_topics()

    def record_chunk(self, spans: Iterable[Span], batch_id: int, now: datetime, stream: str) -> list[Gap]:
        """Append to ``source_gaps`` what has aged out of a chunk of a backfill since it was planned, exactly once.

        Args:
            spans: the offsets of the chunk, whose clicks are in the tables.
            batch_id: number of the chunk.
            now: when.
            stream: the stream that the tables are bound to.

        Returns:
            What is lost.

        Raises:
            SourceError: if the broker cannot be asked.
        """
        topics = read_topic_state(self._spark, self._source)
        found = [gap for span in spans if span[0] in topics.earliest for gap in aged_out(*span, topics)]
        gaps = [gap for whole in found for gap in self._without_read(whole, batch_id)]
        self._append(gaps, batch_id, now, stream, (f"clickscore-{stream}-{batch_id}", 1))
        return gaps

    def _append(self, gaps: list[Gap], batch_id: int, now: datetime, stream: str, transaction: tuple[str, int]) -> None:
        if gaps:
            self.gaps_table.create(self._spark, SOURCE_GAPS, ["source", "batch_id"], {STREAM_PROPERTY: stream})
            rows = [(g.source, g.first, g.last, g.reason, g.detail, now, batch_id) for g in gaps]
            lost = self._spark.createDataFrame(rows, SOURCE_GAPS)
            self.gaps_table.append_once(lost, *transaction, of_batch(stream, batch_id))

    def _planned(self, batch_id: int) -> dict[Partition, int]:
        return planned_offsets(self._spark, self._path, batch_id)

    def _without_read(self, gap: Gap, batch_id: int) -> list[Gap]:
        """Leave out what was read before it aged out: between the reading and the look at the broker, time passes."""
        if gap.reason != AGED_OUT or gap.last is None:
            return [gap]
        of_gap = (F.col("batch_id") == batch_id) & (F.col("source") == gap.source)
        of_gap &= F.col("source_offset").between(gap.first, gap.last)
        rows = [table.read(self._spark).where(of_gap).select("source_offset").collect() for table in self._tables]
        return list(without(gap, (row[0] for part in rows for row in part)))


def without(gap: Gap, offsets: Iterable[int]) -> Iterable[Gap]:
    """Yield the parts of a gap that are left when some of its offsets were read after all."""
    first, last = gap.first, gap.last
    if last is None:
        yield gap
        return
    for offset in [*sorted(offsets), last + 1]:
        if offset > first:
            is_whole = (first, offset) == (gap.first, last + 1)
            detail = gap.detail if is_whole else f"{gap.detail}; some were read in time"
            yield replace(gap, first=first, last=offset - 1, detail=detail)
        first = offset + 1
