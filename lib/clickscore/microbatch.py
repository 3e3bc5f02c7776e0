"""One micro-batch: raw records in, rows of both tables out, exactly once, in one pass over the records."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timezone
from queue import Empty, Queue
from time import monotonic
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation, Row, SparkSession
from pyspark.sql import functions as F

from clickscore import pipeline
from clickscore.clicks import parse
from clickscore.pipeline import Contract, Decode
from clickscore.registry import ModelVersion
from clickscore.schemas import LINEAGE, rejected_clicks
from clickscore.scoring import Predict, Stamp
from clickscore.tables import Table
from clickscore.timeline import Timeline

UNREADABLE_FILE = "unreadable_file"

OBSERVATION_PATIENCE_S = 60
"""Metrics come from Spark's listener some milliseconds after the write; a minute without them means that none come."""

_UNREADABLE = re.compile(r"\[FAILED_READ_FILE[^\]]*\] Encountered error while reading file (?P<path>\S+?)\.(?=\s)")
_DAMAGE = re.compile(
    r"(?P<cause>(?:EOFException|ZipException|ChecksumException|FileNotFoundException|AccessControlException)[^\n]*"
    r"|IOException: (?:invalid|incorrect|too many|unknown|gzip|stored gzip|not a gzip) [^\n]*"
    r"|File does not exist[^\n]*)"
)
"""Failures that reading again will not cure; a time-out or a lost connection is not among them and fails the run."""


class StopRequestedError(Exception):
    """Raised into the stream by a micro-batch that must not begin any more."""


class UnreadableFileError(Exception):
    """Raised into the stream when a file of the micro-batch cannot be read; the run goes on without that file."""

    def __init__(self, batch_id: int, path: str, cause: str) -> None:
        """Keep which file it is and what is wrong with it."""
        self.batch_id, self.path, self.cause = batch_id, path, cause
        super().__init__(f"{path}: {cause}")


@dataclass(frozen=True)
class Report:
    """What a micro-batch did: ``read`` is the sum of ``scored``, ``rejected`` and ``duplicates``.

    Attributes:
        batch_id: the micro-batch.
        read: records read.
        scored: rows of ``scored_clicks``.
        rejected: rows of ``rejected_clicks``.
        sources: files or partitions that records came from.
        seconds: time from its begin to its last commit.
        newest_us: newest event time, microseconds since 1970.
        model: version that scored it.
        arrived_us: newest time at which the source took a record in, the same way; None if it does not say.
        duplicates: clicks passed over because their id was seen before; None if nobody looked.
    """

    batch_id: int
    read: int
    scored: int
    rejected: int
    sources: int
    seconds: float
    newest_us: int | None
    model: ModelVersion
    arrived_us: int | None = None
    duplicates: int | None = None


@dataclass
class Tables:
    """The output tables, bound to the stream.

    Attributes:
        stream: id of the stream.
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
        timeline: the model timeline.
        scored_upto: last micro-batch that was in ``scored`` when the run began.
        rejected_upto: the same for ``rejected``.
    """

    stream: str
    scored: Table
    rejected: Table
    timeline: Timeline
    scored_upto: int
    rejected_upto: int


@dataclass
class MicroBatches:
    """Processes micro-batches as the stream brings them; the function that ``foreachBatch`` calls.

    Attributes:
        spark: the session.
        contract: what a click is.
        predict_with: model version to predict function.
        planned_before: last micro-batch that an earlier run may have begun.
        report: told about every finished micro-batch.
        tables: the output tables, as soon as they are bound to the stream.
        unreadable: files of a micro-batch that cannot be read.
        decode: raw records, or what the stream made of them, to decoded ones.
        record_gaps: told about every micro-batch whose clicks are in the tables, to look for what it went over.
    """

    spark: SparkSession
    contract: Contract
    predict_with: Callable[[ModelVersion], Predict]
    planned_before: int
    report: Callable[[Report], None]
    tables: Future[Tables] = field(default_factory=Future)
    unreadable: list[UnreadableFileError] = field(default_factory=list)
    decode: Decode = parse
    record_gaps: Callable[[int, datetime, str], None] | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    def __call__(self, raw: DataFrame, batch_id: int) -> None:
        """Process one micro-batch; remember why, if it fails."""
        try:
            self._process(raw, batch_id, self.tables.result())
        except Exception as error:
            self.failure = _as_unreadable_file(error, batch_id) or error
            raise self.failure from error

    def _process(self, raw: DataFrame, batch_id: int, tables: Tables) -> None:
        if self.stopping.is_set():
            raise StopRequestedError
        began = monotonic()
        now = datetime.now(timezone.utc)
        model = tables.timeline.model_for(batch_id, batch_id <= self.planned_before, tables.stream)
        stamp = Stamp(batch_id, F.lit(now), model.name, model.version)
        outcomes = pipeline.with_outcomes(raw, self.contract, model.inputs, decode=self.decode)
        census = pipeline.census(self.contract)
        if batch_id > tables.scored_upto:
            observation = Observation()
            scored = pipeline.scored(
                outcomes.observe(observation, *census), self.contract, self.predict_with(model), stamp
            )
            tables.scored.append(scored, tables.stream, batch_id)
            seen = _observed(observation, tables.scored, batch_id)
        else:
            seen = outcomes.agg(*census).collect()[0].asDict()
        unreadable = [self._as_row(file, now) for file in self.unreadable if file.batch_id == batch_id]
        rejected = seen["rejected"] + len(unreadable)
        if rejected and batch_id > tables.rejected_upto:
            complete = seen["kept"] == seen["rejected"]
            rows = self._frame(
                [self._as_rejected(row, now, batch_id) for row in seen["rejections"]] if complete else []
            )
            if not complete:
                # Too many to come along with the first pass: read the records once more, for them alone.
                every = pipeline.with_outcomes(raw, self.contract, model.inputs, keep_all=True, decode=self.decode)
                rows = pipeline.rejected(every, self.contract, stamp)
            rows = rows.unionByName(self._frame(unreadable)) if unreadable else rows
            tables.rejected.append(rows, tables.stream, batch_id)
        if self.record_gaps:
            self.record_gaps(batch_id, now, tables.stream)
        self.report(
            Report(
                batch_id=batch_id,
                read=seen["read"] + len(unreadable),
                scored=seen["read"] - seen["rejected"] - seen["duplicates"],
                rejected=rejected,
                duplicates=None if self.decode is parse else seen["duplicates"],
                sources=len(seen["sources"]) + len(unreadable),
                seconds=monotonic() - began,
                newest_us=seen["newest"],
                arrived_us=seen["arrived"],
                model=model,
            )
        )

    def _frame(self, rows: list[tuple[object, ...]]) -> DataFrame:
        return self.spark.createDataFrame(rows, rejected_clicks(self.contract.kept))

    def _as_rejected(self, row: Row, now: datetime, batch_id: int) -> tuple[object, ...]:
        lineage = [row[field.name] for field in (*LINEAGE, *self.contract.kept)]
        return (row["_raw"], row["reason"], row["detail"], *lineage, now, batch_id)

    def _as_row(self, file: UnreadableFileError, now: datetime) -> tuple[object, ...]:
        kept = [None] * len(self.contract.kept)
        return (None, UNREADABLE_FILE, file.cause, file.path, None, *kept, now, file.batch_id)


def _observed(observation: Observation, table: Table, batch_id: int) -> dict[str, Any]:
    """Return what was observed by a write that is done."""
    seen: Queue[dict[str, Any]] = Queue()
    threading.Thread(target=lambda: seen.put(observation.get), daemon=True).start()
    try:
        return seen.get(timeout=OBSERVATION_PATIENCE_S)
    except Empty:
        # Delta skips a write that is in the table already, and then there is nothing to observe, for ever.
        raise RuntimeError(
            f"{table.name} holds batch {batch_id} already, from another run on the same checkpoint. "
            f"Make sure that only one run is alive, and start it again."
        ) from None


def _as_unreadable_file(error: Exception, batch_id: int) -> UnreadableFileError | None:
    if not isinstance(error, PySparkException | Py4JJavaError):
        return None
    file, damage = _UNREADABLE.search(str(error)), _DAMAGE.search(str(error))
    if not file or not damage:
        return None
    # The error writes local paths as file:///, the metadata of a file as file:/.
    return UnreadableFileError(batch_id, file["path"].replace("file:///", "file:/", 1), damage["cause"])
