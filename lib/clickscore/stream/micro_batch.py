"""One micro-batch: raw records in, rows of both tables out, exactly once, in one pass over the records."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import reduce
from time import monotonic

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from clickscore.monitoring.report import Report
from clickscore.reasons import UNREADABLE_FILE
from clickscore.sources.unreadable_files import UnreadableFileError, as_unreadable_file
from clickscore.storage.fence import Claim
from clickscore.storage.model_timeline import Timeline
from clickscore.storage.schemas import Layout
from clickscore.storage.table import Table, of_batch
from clickscore.stream import pipeline
from clickscore.stream.active_models import Lineup
from clickscore.stream.pipeline import Stamp
from clickscore.stream.rejections import not_scored


class StopRequestedError(Exception):
    """Raised into the stream by a micro-batch that must not begin any more."""


@dataclass
class Tables:
    """The output tables, bound to the stream.

    Attributes:
        stream: id of the stream.
        claim: the right to write them.
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
        timeline: the model timeline.
        scored_upto: last micro-batch that was in ``scored`` when the run began.
        rejected_upto: the same for ``rejected``.
    """

    stream: str
    claim: Claim
    scored: Table
    rejected: Table
    timeline: Timeline
    scored_upto: int
    rejected_upto: int

    def append(self, table: Table, rows: DataFrame, batch_id: int) -> None:
        """Append what a micro-batch has for one of the tables."""
        table.append(self.claim.guard(rows), of_batch(self.stream, batch_id))


@dataclass
class MicroBatches:
    """Processes micro-batches as the stream brings them; the function that ``foreachBatch`` calls.

    Attributes:
        spark: the session.
        layout: the columns of the tables.
        lineup: the models.
        planned_before: last micro-batch that an earlier run may have begun.
        report: told about every finished micro-batch.
        tables: the output tables, as soon as they are bound to the stream.
        unreadable: files of a micro-batch that cannot be read.
        has_duplicates: whether the stream looks for duplicates.
        record_gaps: told about every micro-batch whose clicks are in the tables, to look for what it went over.
    """

    spark: SparkSession
    layout: Layout
    lineup: Lineup
    planned_before: int
    report: Callable[[Report], None]
    tables: Future[Tables] = field(default_factory=Future)
    unreadable: list[UnreadableFileError] = field(default_factory=list)
    has_duplicates: bool = False
    record_gaps: Callable[[int, datetime, str], None] | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    def __call__(self, raw: DataFrame, batch_id: int) -> None:
        """Process one micro-batch; remember why, if it fails."""
        try:
            self._process(raw, batch_id, self.tables.result())
        except Exception as error:
            self.failure = as_unreadable_file(error, batch_id) or error
            raise self.failure from error

    def _process(self, raw: DataFrame, batch_id: int, tables: Tables) -> None:
        if self.stopping.is_set():
            raise StopRequestedError
        began, now = monotonic(), datetime.now(timezone.utc)
        champion, challenger = self.lineup.models_for(batch_id, batch_id <= self.planned_before)
        stamp = Stamp(batch_id, F.lit(now), *champion.key)
        unreadable = [self._as_row(file, now) for file in self.unreadable if file.batch_id == batch_id]
        first_pass = self.lineup.first_pass
        if batch_id > tables.scored_upto:
            counts = first_pass.score(
                raw, champion, challenger, stamp, lambda rows: tables.append(tables.scored, rows, batch_id)
            )
        else:  # an earlier run has committed them
            counts = None
        if counts and counts.has_all_rejected:
            self._write_rejected(self._frame(counts.listed) if counts.rejected else None, unreadable, stamp, tables)
        else:
            with first_pass.kept_outcomes(raw, champion, batch_id) as outcomes:
                scored = tables.scored.read_batch(self.spark, tables.stream, batch_id)
                rejections = not_scored(outcomes, scored, self.layout)
                counts = counts or replace(first_pass.census(outcomes), rejected=rejections.count())
                self._write_rejected(rejections if counts.rejected else None, unreadable, stamp, tables)
        if self.record_gaps:
            self.record_gaps(batch_id, now, tables.stream)
        self.report(
            Report(
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
            )
        )

    def _write_rejected(
        self, records: DataFrame | None, unreadable: list[tuple[object, ...]], stamp: Stamp, tables: Tables
    ) -> None:
        """Append what was rejected, if there is anything and no earlier run has done so."""
        parts = [pipeline.rejected(records, self.layout, stamp)] if records else []
        parts += [self.spark.createDataFrame(unreadable, self.layout.rejected).coalesce(1)] if unreadable else []
        if parts and stamp.batch_id > tables.rejected_upto:
            tables.append(tables.rejected, reduce(DataFrame.unionByName, parts), stamp.batch_id)

    def _frame(self, listed: Sequence[Row]) -> DataFrame:
        # What comes from the driver is little: one file, instead of one for each core.
        return self.spark.createDataFrame(listed, self.layout.listed).coalesce(1)

    def _as_row(self, file: UnreadableFileError, now: datetime) -> tuple[object, ...]:
        kept = [None] * len(self.layout.kept)
        return (None, UNREADABLE_FILE, file.cause, file.path, None, *kept, now, file.batch_id)
