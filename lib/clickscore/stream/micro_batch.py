"""One micro-batch: raw records in, rows of both tables out, exactly once, in one pass over the records."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial, reduce
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.errors import StreamError
from clickscore.monitoring.report import Report
from clickscore.reasons import UNREADABLE_FILE
from clickscore.registry.version import ModelVersion
from clickscore.sources.records import BatchPlan, shortened
from clickscore.sources.unreadable_files import GONE, UnreadableFileError, as_unreadable_file
from clickscore.spark_errors import SPARK_ERRORS, is_time_overflow, row_refusal
from clickscore.storage.batch_rows import read_batch_rows
from clickscore.storage.schemas import Layout
from clickscore.stream import pipeline
from clickscore.stream.batch_counts import BatchCounts
from clickscore.stream.batch_report import CHOOSE_MODEL, REJECT, SCORE, Phases, count_reasons, report_of
from clickscore.stream.batch_scoring import BatchScorer
from clickscore.stream.output_tables import Tables
from clickscore.stream.pipeline import Stamp
from clickscore.stream.rejections import not_scored
from clickscore.stream.unwritable import Unwritable

SAMPLED_EVERY = 10
"""Micro-batches of which one brings a sample of its records along: on two cores, that costs 1.3 us a record."""


class StopRequestedError(Exception):
    """Raised into the stream by a micro-batch that must not begin any more."""


class ConstraintsChangedError(Exception):
    """Raised into the stream when the constraints of a table are not those that the query has begun with."""


class Models(Protocol):
    """What chooses the versions that score: those of a stream follow their aliases."""

    def models_for(
        self, batch_id: int, planned_before: bool, is_written: bool
    ) -> tuple[ModelVersion, ModelVersion | None]:
        """Return champion and challenger of a micro-batch, which an earlier run may have begun."""


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
        wait: is called before a micro-batch, with its number, and returns when it may begin.
        hand_over: takes the result of every micro-batch, before Spark hears of it.
        unreadable: files of a micro-batch that cannot be read.
        unwritable: finds the clicks that cannot be written.
        read_again: reads the records of a micro-batch past times that Spark cannot hold, if there are any.
        plan_of: says what a micro-batch was planned to be made of.
        lost_files: names the files of a micro-batch that were gone before they were read, beside those that are known.
        has_taken: tells whether a file is one of the source's, which the stream can do without.
        has_duplicates: whether the stream looks for duplicates.
        record_gaps: told about every micro-batch whose clicks are in the tables, to look for what it went over.
    """

    spark: SparkSession
    layout: Layout
    models: Models
    batch_scorer: BatchScorer
    tables: Tables
    planned_before: int
    stopping: threading.Event
    wait: Callable[[int], None]
    hand_over: Callable[[BatchResult], None]
    unreadable: Sequence[UnreadableFileError]
    unwritable: Unwritable
    read_again: Callable[[int], DataFrame | None]
    plan_of: Callable[[int], BatchPlan]
    lost_files: Callable[[int, Sequence[str]], Sequence[str]]
    has_taken: Callable[[str], bool]
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
            try:
                return BatchResult(report=self._process(raw, batch_id, self.tables))
            except SPARK_ERRORS as error:
                if not is_time_overflow(error):
                    raise
                return BatchResult(report=self._process(self._past_times(batch_id, error), batch_id, self.tables))
        except Exception as error:  # whatever it is, the query loop decides about it
            return BatchResult(failure=as_unreadable_file(error, batch_id, self.has_taken) or error)

    def _past_times(self, batch_id: int, error: Exception) -> DataFrame:
        """Read the micro-batch again, past a time of a record that Spark cannot hold."""
        if self.has_duplicates:  # the search for them is a part of the stream's own plan, before this one
            plan = self.plan_of(batch_id)
            raise StreamError(
                f"batch {batch_id}: a record has a time that Spark cannot hold, such as one in nanoseconds instead of "
                f"milliseconds, and a stream with deduplicate cannot pass it. The batch holds {plan.what}. Let the "
                f"producers send milliseconds, or set message.timestamp.type=LogAppendTime for the topic, which helps "
                f"the records to come. For those that are there: send them once more, and then {plan.way_past}; or "
                f"start over with a new checkpoint and source.start after them."
            ) from error
        if (raw := self.read_again(batch_id)) is None:
            raise error
        self.batch_scorer.tell(
            f"batch {batch_id}: records have a time that Spark cannot hold, such as one in nanoseconds instead of "
            f"milliseconds. They are read by the driver, slowly, and without their time: let the producers send "
            f"milliseconds, or set message.timestamp.type=LogAppendTime for the topic"
        )
        return raw

    def _process(self, raw: DataFrame, batch_id: int, tables: Tables) -> Report:
        self.wait(batch_id)
        if self.stopping.is_set():
            raise StopRequestedError
        phases, now = Phases(), datetime.now(timezone.utc)
        is_written = batch_id <= tables.scored_upto  # an earlier run has committed its scores
        champion, challenger = self.models.models_for(batch_id, batch_id <= self.planned_before, is_written)
        phases.end(CHOOSE_MODEL)
        # The first one of a query, and every so many after it.
        is_sampled = (batch_id - self.planned_before - 1) % SAMPLED_EVERY == 0
        stamp = Stamp(batch_id, F.lit(now), *champion.key, is_sampled=is_sampled)
        if is_written:
            counts = self._write_the_rest(raw, champion, stamp, None)
        else:
            write = partial(tables.append, tables.scored, batch_id=batch_id)
            try:
                counts = self.batch_scorer.score(raw, champion, challenger, stamp, write, tables.constraints)
            except SPARK_ERRORS as error:
                self._check_cause(error)
                counts = self._write_what_fits(raw, champion, stamp, error)
            else:
                phases.end(SCORE)
                counts = self._with_files(counts, stamp)
                if counts.has_all_rejected:
                    self._write_rejected(self._frame(counts.listed) if counts.rejected else None, counts, stamp)
                else:
                    counts = self._write_the_rest(raw, champion, stamp, counts)
        if self.record_gaps:
            self.record_gaps(batch_id, now, tables.stream)
        phases.end(REJECT)
        return report_of(batch_id, counts, champion, challenger, phases, self.has_duplicates)

    def _with_files(self, counts: BatchCounts, stamp: Stamp, scored: DataFrame | None = None) -> BatchCounts:
        """Add the files that are rejected as a whole: those that cannot be read, and those that were gone before.

        A file of which an earlier run has scored clicks, which are ``scored``, is none of them.
        """
        files = [file for file in self.unreadable if file.batch_id == stamp.batch_id]
        known = [*counts.sources, *[file.path for file in files]]
        gone = self.lost_files(stamp.batch_id, known) if stamp.batch_id > self.tables.rejected_upto else ()
        if (gone or files) and scored is not None:
            read_before = {row.source for row in scored.select("source").distinct().collect()}
            gone = [path for path in gone if path not in read_before]
            files = [file for file in files if file.path not in read_before]
        if gone:
            self.batch_scorer.tell(
                f"batch {stamp.batch_id} rejects as a whole what was moved or deleted before it was read "
                f"({len(gone):,}): {shortened(gone)}. Land it once more, under another name"
            )
        files += [UnreadableFileError(stamp.batch_id, path, GONE) for path in gone]
        return replace(counts, files=files)

    def _write_the_rest(
        self, raw: DataFrame, champion: ModelVersion, stamp: Stamp, counts: BatchCounts | None
    ) -> BatchCounts:
        """Reject what is not among the scored clicks, which are committed; count, unless that is done."""
        tables, batch_id = self.tables, stamp.batch_id
        with self.batch_scorer.kept_outcomes(raw, champion, stamp, tables.constraints) as outcomes:
            scored = read_batch_rows(self.spark, tables.scored, tables.stream, batch_id)
            if not scored.is_whole:
                self.batch_scorer.tell(
                    f"batch {batch_id}: rows of {tables.scored.name} were changed since a run ended within it, and the "
                    f"files of that commit are removed: a click that gets a score now counts as scored by that run"
                )
            rejections = not_scored(outcomes, scored, self.layout)
            if counts is None:
                reasons = count_reasons(rejections, F.col("reason"))
                counts = replace(self.batch_scorer.census(outcomes), rejected=sum(reasons.values()), reasons=reasons)
                counts = self._with_files(counts, stamp, scored.rows)
            else:
                counts = self._with_reasons(counts, outcomes)
            self._write_rejected(rejections if counts.rejected else None, counts, stamp)
        return counts

    def _with_reasons(self, counts: BatchCounts, outcomes: DataFrame) -> BatchCounts:
        if counts.has_all_rejected:
            return counts
        reasons = count_reasons(outcomes.where(pipeline.IS_REJECTED), F.col(pipeline.REASON))
        return replace(counts, reasons=reasons)

    def _check_cause(self, error: Exception) -> None:
        """Raise the error again unless it may be for the rows that they cannot be written."""
        if not row_refusal(error) or self.tables.fence.loss():
            raise error
        if self.tables.read_constraints(self.spark, self.layout) != self.tables.constraints:
            raise ConstraintsChangedError from error

    def _write_what_fits(self, raw: DataFrame, champion: ModelVersion, stamp: Stamp, error: Exception) -> BatchCounts:
        """Score the micro-batch without the challenger, and reject the clicks that the table does not take."""
        tables, batch_id = self.tables, stamp.batch_id
        with self.batch_scorer.kept_outcomes(raw, champion, stamp) as outcomes:
            judged = self.unwritable.judge(outcomes, stamp, error)
            counts = self._with_files(self._with_reasons(self.batch_scorer.census(judged), judged), stamp)
            self.batch_scorer.check_rejected(counts, champion, batch_id)
            tables.append(tables.scored, pipeline.scored(judged, self.layout, stamp), batch_id)
            rejected = judged.where(pipeline.IS_REJECTED).select(
                "*", F.col(pipeline.REASON).alias("reason"), F.col(pipeline.DETAIL).alias("detail")
            )
            self._write_rejected(rejected, counts, stamp)
        return counts

    def _write_rejected(self, records: DataFrame | None, counts: BatchCounts, stamp: Stamp) -> None:
        """Append the records that were rejected, and the files, if there are any and no earlier run has done so."""
        parts = [pipeline.rejected(records, self.layout, stamp)] if records else []
        if counts.files:
            parts.append(pipeline.rejected(self._frame(list(map(self._as_record, counts.files))), self.layout, stamp))
        if parts and stamp.batch_id > self.tables.rejected_upto:
            self.tables.append(self.tables.rejected, reduce(DataFrame.unionByName, parts), stamp.batch_id)

    def _frame(self, listed: Sequence[tuple[object, ...]]) -> DataFrame:
        # What comes from the driver is little: one file, instead of one for each core.
        return self.spark.createDataFrame(listed, self.layout.listed).coalesce(1)

    def _as_record(self, file: UnreadableFileError) -> tuple[object, ...]:
        return (None, UNREADABLE_FILE, file.cause, file.path, *[None] * (len(self.layout.lineage) - 1))
