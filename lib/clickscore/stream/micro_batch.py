"""One micro-batch: raw records in, rows of both tables out, exactly once, in one pass over the records."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from time import monotonic

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from clickscore.monitoring.report import Report
from clickscore.reasons import UNREADABLE_FILE
from clickscore.registry.version import ModelVersion
from clickscore.scoring.parsing import parse
from clickscore.sources.unreadable_files import UnreadableFileError, as_unreadable_file
from clickscore.storage.schemas import LINEAGE, rejected_clicks
from clickscore.stream import failures, pipeline
from clickscore.stream.active_models import ActiveModels
from clickscore.stream.batch_scoring import Answered, FirstPass
from clickscore.stream.output_tables import Tables
from clickscore.stream.pipeline import Challenge, Contract, Decode
from clickscore.stream.rows import Stamp


class StopRequestedError(Exception):
    """Raised into the stream by a micro-batch that must not begin any more."""


class RawNeededError(Exception):
    """Raised into the stream when it does not carry raw records of good clicks along, but one has to be rejected."""

    def __init__(self, batch_id: int, seen: list[Row]) -> None:
        """Keep which clicks of the micro-batch failed, as far as somebody has seen it."""
        self.batch_id, self.seen = batch_id, seen
        super().__init__(f"batch {batch_id}")


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
        contract: what a click is.
        models: champion and challenger.
        first_pass: scores with them.
        tables: the output tables.
        planned_before: last micro-batch that an earlier query may have begun.
        stopping: set as soon as no micro-batch may begin any more.
        hand_over: takes the result of every micro-batch, before Spark hears of it.
        unreadable: files of a micro-batch that cannot be read.
        seen: clicks that failed, by micro-batch, where that was seen before the stream was started again.
        decode: raw records, or what the stream made of them, to decoded ones.
        is_raw_at_hand: whether the raw record of a good click can be had.
        record_gaps: told about every micro-batch whose clicks are in the tables, to look for what it went over.
    """

    spark: SparkSession
    contract: Contract
    models: ActiveModels
    first_pass: FirstPass
    tables: Tables
    planned_before: int
    stopping: threading.Event
    hand_over: Callable[[BatchResult], None]
    unreadable: Sequence[UnreadableFileError]
    seen: Mapping[int, list[Row]]
    decode: Decode = parse
    is_raw_at_hand: bool = True
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
        if champion.has_required_inputs and not self.is_raw_at_hand:
            raise RawNeededError(batch_id, [])
        stamp = Stamp(batch_id, F.lit(now), *champion.key)
        if batch_id > tables.scored_upto:
            seen = self._score(raw, champion, challenger, stamp, tables)
        else:
            seen = self._count(raw, champion, batch_id, tables)
        unreadable = [self._as_row(file, now) for file in self.unreadable if file.batch_id == batch_id]
        rejected = seen["rejected"] + seen["failed"] + len(unreadable)
        if rejected and batch_id > tables.rejected_upto:
            rows = self._rejected(raw, champion, seen, stamp, now, tables)
            rows = rows.unionByName(self._frame(unreadable)) if unreadable else rows
            tables.append(tables.rejected, rows, batch_id)
        if self.record_gaps:
            self.record_gaps(batch_id, now, tables.stream)
        return Report(
            batch_id=batch_id,
            read=seen["read"] + len(unreadable),
            scored=seen["read"] - seen["rejected"] - seen["failed"] - seen["duplicates"],
            rejected=rejected,
            duplicates=None if self.decode is parse else seen["duplicates"],
            sources=len(seen["sources"]) + len(unreadable),
            seconds=monotonic() - began,
            newest_us=seen["newest"],
            arrived_us=seen["arrived"],
            model_name=champion.name,
            model_version=champion.version,
        )

    def _outcomes(
        self, raw: DataFrame, champion: ModelVersion, keep_all: bool, challenge: Challenge | None
    ) -> DataFrame:
        return pipeline.with_outcomes(raw, self.contract, champion.inputs, keep_all, self.decode, challenge)

    def _score(
        self, raw: DataFrame, champion: ModelVersion, challenger: ModelVersion | None, stamp: Stamp, tables: Tables
    ) -> Answered:
        """Write the scored clicks of a micro-batch; return what was seen on the way."""
        return self.first_pass.score(
            lambda challenge: self._outcomes(raw, champion, False, challenge),
            champion,
            challenger,
            stamp,
            write=lambda rows: tables.append(tables.scored, rows, stamp.batch_id),
        )

    def _count(self, raw: DataFrame, champion: ModelVersion, batch_id: int, tables: Tables) -> Answered:
        """Return the same for a micro-batch whose scored clicks an earlier run has written."""
        outcomes = self._outcomes(raw, champion, False, None)
        seen = outcomes.agg(*pipeline.census(self.contract)).collect()[0].asDict()
        asked = seen["read"] - seen["rejected"] - seen["duplicates"]
        scored = tables.scored.read_batch(self.spark, tables.stream, batch_id).count()
        return seen | {"failed": asked - scored, "failures": self.seen.get(batch_id, [])}

    def _rejected(
        self, raw: DataFrame, champion: ModelVersion, seen: Answered, stamp: Stamp, now: datetime, tables: Tables
    ) -> DataFrame:
        """Return the rejected records: those that came along with the first pass, or all of them from a second one."""
        if seen["kept"] == seen["rejected"] and not seen["failed"]:
            return self._frame([self._as_rejected(row, now, stamp.batch_id) for row in seen["rejections"]])
        if not self.is_raw_at_hand:
            raise RawNeededError(stamp.batch_id, seen["failures"])
        # Too many to come along, or clicks that passed all but the model: read the records once more, for them alone.
        every = self._outcomes(raw, champion, True, None)
        if seen["failed"]:
            if len(seen["failures"]) == seen["failed"]:
                failed = failures.failed_as_seen(self.spark.createDataFrame(seen["failures"], failures.SEEN))
            else:
                scored = tables.scored.read_batch(self.spark, tables.stream, stamp.batch_id)
                failed = failures.failed_as_missing(every, scored, self.contract)
            every = failures.with_failures(every, failed, self.contract)
        return pipeline.rejected(every, self.contract, stamp)

    def _frame(self, rows: list[tuple[object, ...]]) -> DataFrame:
        # What comes from the driver is little: one file, instead of one for each core.
        return self.spark.createDataFrame(rows, rejected_clicks(self.contract.kept)).coalesce(1)

    def _as_rejected(self, row: Row, now: datetime, batch_id: int) -> tuple[object, ...]:
        lineage = [row[field.name] for field in (*LINEAGE, *self.contract.kept)]
        return (row["_raw"], row["reason"], row["detail"], *lineage, now, batch_id)

    def _as_row(self, file: UnreadableFileError, now: datetime) -> tuple[object, ...]:
        kept = [None] * len(self.contract.kept)
        return (None, UNREADABLE_FILE, file.cause, file.path, None, *kept, now, file.batch_id)
