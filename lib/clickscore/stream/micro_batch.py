"""One micro-batch: raw records in, rows of both tables out, exactly once, in one pass over the records."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import reduce
from time import monotonic

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from clickscore.monitoring.report import Report
from clickscore.reasons import UNREADABLE_FILE
from clickscore.sources.unreadable_files import UnreadableFileError, as_unreadable_file
from clickscore.storage.schemas import Layout
from clickscore.stream import pipeline
from clickscore.stream.active_models import ActiveModels
from clickscore.stream.batch_scoring import BatchScorer
from clickscore.stream.output_tables import Tables
from clickscore.stream.pipeline import Stamp
from clickscore.stream.rejections import not_scored


class StopRequestedError(Exception):
    """Raised into the stream by a micro-batch that must not begin any more."""


@dataclass(frozen=True)
class BatchResult:
    """What has become of a micro-batch: one of the two.

    Attributes:
        report: what it did, if it is done.
        failure: what it has raised, if not; Spark leaves of that no more than the text.
    """

    report: Report | None = None
    failure: Exception | None = None


@dataclass(frozen=True)
class MicroBatches:
    """Processes micro-batches as the stream brings them; the function that ``foreachBatch`` calls.

    Attributes:
        spark: the session.
        layout: the columns of the tables.
        models: champion and challenger.
        batch_scorer: scores with them.
        tables: the output tables.
        planned_before: last micro-batch that an earlier query may have begun.
        stopping: set as soon as no micro-batch may begin any more.
        hand_over: takes the result of every micro-batch, before Spark hears of it.
        unreadable: files of a micro-batch that cannot be read.
        has_duplicates: whether the stream looks for duplicates.
        record_gaps: told about every micro-batch whose clicks are in the tables, to look for what it went over.
    """

    spark: SparkSession
    layout: Layout
    models: ActiveModels
    batch_scorer: BatchScorer
    tables: Tables
    planned_before: int
    stopping: threading.Event
    hand_over: Callable[[BatchResult], None]
    unreadable: Sequence[UnreadableFileError]
    has_duplicates: bool = False
    record_gaps: Callable[[int, datetime, str], None] | None = None

    def __call__(self, raw: DataFrame, batch_id: int) -> None:
        """Process one micro-batch and hand its result over; raise why, if it fails, for Spark to end the query."""
        result = self.process(raw, batch_id)
        self.hand_over(result)
        if result.failure:
            raise result.failure

    def process(self, raw: DataFrame, batch_id: int) -> BatchResult:
        """Process one micro-batch."""
        try:
            return BatchResult(report=self._process(raw, batch_id, self.tables))
        except Exception as error:  # whatever it is, the query loop decides about it
            return BatchResult(failure=as_unreadable_file(error, batch_id) or error)

    def _process(self, raw: DataFrame, batch_id: int, tables: Tables) -> Report:
        if self.stopping.is_set():
            raise StopRequestedError
        began, now = monotonic(), datetime.now(timezone.utc)
        champion, challenger = self.models.models_for(batch_id, batch_id <= self.planned_before)
        stamp = Stamp(batch_id, F.lit(now), *champion.key)
        unreadable = [self._as_row(file, now) for file in self.unreadable if file.batch_id == batch_id]
        counts = None
        if batch_id > tables.scored_upto:  # else an earlier run has committed them
            counts = self.batch_scorer.score(
                raw, champion, challenger, stamp, lambda rows: tables.append(tables.scored, rows, batch_id)
            )
        if counts and counts.has_all_rejected:
            self._write_rejected(self._frame(counts.listed) if counts.rejected else None, unreadable, stamp)
        else:
            with self.batch_scorer.kept_outcomes(raw, champion, batch_id) as outcomes:
                scored = tables.scored.read_batch(self.spark, tables.stream, batch_id)
                rejections = not_scored(outcomes, scored, self.layout)
                counts = counts or replace(self.batch_scorer.census(outcomes), rejected=rejections.count())
                self._write_rejected(rejections if counts.rejected else None, unreadable, stamp)
        if self.record_gaps:
            self.record_gaps(batch_id, now, tables.stream)
        return Report(
            batch_id=batch_id,
            read=counts.read + len(unreadable),
            scored=counts.scored,
            rejected=counts.rejected + len(unreadable),
            duplicates=counts.duplicates if self.has_duplicates else None,
            sources=len(counts.sources) + len(unreadable),
            seconds=monotonic() - began,
            newest_us=counts.newest,
            arrived_us=counts.arrived,
            model_name=champion.name,
            model_version=champion.version,
            failed=counts.failed,
            cause=counts.cause,
        )

    def _write_rejected(self, records: DataFrame | None, unreadable: list[tuple[object, ...]], stamp: Stamp) -> None:
        """Append what was rejected, if there is anything and no earlier run has done so."""
        parts = [pipeline.rejected(records, self.layout, stamp)] if records else []
        parts += [self.spark.createDataFrame(unreadable, self.layout.rejected).coalesce(1)] if unreadable else []
        if parts and stamp.batch_id > self.tables.rejected_upto:
            rows = reduce(DataFrame.unionByName, parts)
            self.tables.append(self.tables.rejected, rows, stamp.batch_id)

    def _frame(self, listed: Sequence[Row]) -> DataFrame:
        # What comes from the driver is little: one file, instead of one for each core.
        return self.spark.createDataFrame(listed, self.layout.listed).coalesce(1)

    def _as_row(self, file: UnreadableFileError, now: datetime) -> tuple[object, ...]:
        kept = [None] * len(self.layout.kept)
        return (None, UNREADABLE_FILE, file.cause, file.path, None, *kept, now, file.batch_id)
