"""The stream: queries over the source, one after the other where that helps, until the end or a request to stop."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException, StreamingQueryException
from pyspark.sql import Row, SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from clickscore.config.run import AVAILABLE_NOW
from clickscore.errors import ClickscoreError, SourceError, StreamError
from clickscore.monitoring.report import Report
from clickscore.registry.version import ModelVersion
from clickscore.retries import STREAM_LIMIT_S, retrying, transient_cause
from clickscore.sources.readers import read_stream
from clickscore.sources.unreadable_files import UnreadableFileError
from clickscore.storage import schemas
from clickscore.storage.checkpoint import Checkpoint, read_checkpoint, written_upto
from clickscore.storage.fence import RUN_PROPERTY, Fence
from clickscore.storage.model_timeline import Timeline
from clickscore.storage.table import STREAM_PROPERTY
from clickscore.stream.active_models import Lineup
from clickscore.stream.alias_poller import ModelWatch
from clickscore.stream.clock import Clock
from clickscore.stream.deduplication import mark_duplicates, prepare_state, unpack
from clickscore.stream.micro_batch import MicroBatches, Tables
from clickscore.stream.next_step import Done, ExplainLoss, Failure, Raise, State, Step, WithoutFile, WithRaw, next_step
from clickscore.stream.preflight import Wiring, describe_loss

POLL_SECONDS = 1
"""How often the main thread looks whether it has been asked to stop."""
FENCE_CHECK_S = 10
"""How often a run looks whether another one has taken the stream over; two at once only cost each other time."""


@dataclass
class Stream:
    """Scores the clicks of the source, over as many queries as it takes.

    A query ends before its time when a file cannot be read, when raw records are needed after all, when the clock was
    set back, and when something fails that may pass. The next one plans the same micro-batch again, from the
    checkpoint.

    Attributes:
        spark: the session.
        wiring: the parts of the run.
        lineup: the models.
        watch: over the models.
        fetch: brings any version by name and version.
        report: is told about every finished micro-batch.
        tell: tells a person.
        failed: is told about every failure that the stream tries to get over.
        look: sees the query every second.
        stopping: holds something as soon as the run is asked to stop.
        accept_loss: go on where records are gone from the source.
    """

    spark: SparkSession
    wiring: Wiring
    lineup: Lineup
    watch: ModelWatch
    fetch: Callable[[str, str], ModelVersion]
    report: Callable[[Report], None]
    tell: Callable[[str], None]
    failed: Callable[[], None]
    look: Callable[[StreamingQuery], None]
    stopping: list[int]
    accept_loss: bool = False
    _unreadable: list[UnreadableFileError] = field(default_factory=list)
    _seen: dict[int, list[Row]] = field(default_factory=dict)
    _keep_all: bool = False
    _queries: int = 0
    _finished: int = 0
    _fence: Fence | None = None

    def run(self) -> None:
        """Score until the source is exhausted or the run is asked to stop.

        Raises:
            StreamError: if it cannot go on, for a reason that we can tell.
            StreamingQueryException: if it cannot go on for another reason.
        """
        # A replay may be scored by another version than the current one.
        checkpoint = self.wiring.checkpoint
        self._keep_all = checkpoint.last_planned > checkpoint.last_done or self.wiring.model.has_required_inputs
        patiently = retrying(self.tell, STREAM_LIMIT_S, self._pause, self._has_progressed, self.failed)
        try:
            patiently(self._run_queries)
        except (PySparkException, Py4JJavaError, ClickscoreError) as error:
            if cause := transient_cause(error):
                raise StreamError(
                    f"{cause}: this has not passed within {STREAM_LIMIT_S:.0f} s. Nothing is lost: put it right and "
                    f"start again, and the stream goes on where it was."
                ) from error
            raise

    def _run_queries(self) -> None:
        while not self.stopping and not self._run_query():
            pass

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < until:
            time.sleep(min(POLL_SECONDS, seconds))

    def _has_progressed(self) -> bool:
        finished, self._finished = self._finished, 0
        return finished > 0

    def _finish(self, done: Report) -> None:
        self._finished += 1
        self.report(done)

    def _run_query(self) -> bool:
        """Run one query; tell whether it was the last."""
        # An earlier query of this run may have planned micro-batches, and failed.
        checkpoint = self._checkpoint() if self._queries else self.wiring.checkpoint
        self._queries += 1
        batches = self._micro_batches(checkpoint)
        query = self._start(batches)
        try:
            tables = self._bind_tables(checkpoint, str(query.id))
            self.lineup.bind(tables.timeline, checkpoint.last_planned + 1)
            self.watch.start()
            batches.tables.set_result(tables)
            is_clock_set_back = self._await(query, batches, tables.fence)
            step = next_step(None, self._state(is_clock_set_back))
        except StreamingQueryException as failure:
            step = next_step(Failure(failure, batches.failure), self._state(False, self._replaced()))
        finally:
            batches.tables.cancel()
            query.stop()
        return self._follow(step)

    def _follow(self, step: Step) -> bool:
        """Prepare the next query, and tell whether there is none; raise what ends this attempt."""
        match step:
            case WithRaw(needed):
                self._keep_all, self._seen[needed.batch_id] = True, needed.seen
            case WithoutFile(file):
                self._unreadable.append(file)
                self.tell(f"cannot read {file}; it goes to the rejected clicks")
            case ExplainLoss(error):
                self._explain_loss()
                raise error
            case Raise(error):
                raise error
        return isinstance(step, Done)

    def _state(self, is_clock_set_back: bool, replaced: StreamError | None = None) -> State:
        return State(
            is_stopping=bool(self.stopping),
            is_clock_set_back=is_clock_set_back,
            replaced=replaced,
            carries_raw=self._keep_all,
            unreadable=frozenset(file.path for file in self._unreadable),
            accept_loss=self.accept_loss,
        )

    def _replaced(self) -> StreamError | None:
        """Return the error that names the run which has taken the stream over, if one has."""
        try:
            if self._fence:
                self._fence.check()
        except StreamError as error:
            return error
        return None

    def _explain_loss(self) -> None:
        """Raise a better error than the engine's, if records that are gone are why the stream has failed."""
        if not self.wiring.watch:
            return
        try:
            gaps = self.wiring.watch.gaps_ahead(self._checkpoint())
        except SourceError:
            return  # The broker is away, so the engine's own error is the better one.
        if gaps:
            raise StreamError(describe_loss(gaps))

    def _checkpoint(self) -> Checkpoint:
        return read_checkpoint(self.spark, self.wiring.checkpoint.path)

    def _micro_batches(self, checkpoint: Checkpoint) -> MicroBatches:
        wiring = self.wiring
        batches = MicroBatches(
            self.spark, wiring.contract, self.lineup, checkpoint.last_planned, self._finish,
            unreadable=self._unreadable, seen=self._seen,
        )  # fmt: skip
        if wiring.config.deduplicate:
            batches.decode = partial(unpack, kept=wiring.contract.kept)
            batches.is_raw_at_hand = self._keep_all
        if wiring.watch and self.accept_loss:
            batches.record_gaps = wiring.watch.record
        return batches

    def _start(self, batches: MicroBatches) -> StreamingQuery:
        config, contract = self.wiring.config, self.wiring.contract
        rows = read_stream(self.spark, config.source, [file.path for file in self._unreadable], self.accept_loss)
        if config.deduplicate:
            prepare_state(self.spark)
            window = config.deduplicate.window_ms
            rows = mark_duplicates(rows, contract.click, contract.id, window, batches.is_raw_at_hand)
        writer = rows.writeStream.queryName("clickscore").option("checkpointLocation", config.checkpoint)
        if config.trigger == AVAILABLE_NOW:
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(processingTime=config.trigger)
        return writer.foreachBatch(batches).start()

    def _bind_tables(self, checkpoint: Checkpoint, stream: str) -> Tables:
        """Create the tables that are missing and bind all of them to the stream, now that it has an id."""
        wiring, contract, spark = self.wiring, self.wiring.contract, self.spark
        # First the fence, then the look at what is there: nobody else adds to it any more.
        if self._fence:
            self._fence.check()
        else:
            self._fence = Fence.acquire(spark, checkpoint.path, str(uuid.uuid4()))
        ours = {STREAM_PROPERTY: stream, RUN_PROPERTY: self._fence.run_id}
        asked_by = [contract.time, contract.visitor]
        shape = schemas.scored_clicks(contract.click, contract.kept, contract.scores)
        wiring.scored.create(spark, shape, [*asked_by, "batch_id"], ours, asked_by, schemas.FINITE_SCORE)
        shape = schemas.rejected_clicks(contract.kept)
        wiring.rejected.create(spark, shape, ["received_at", "batch_id"], ours, ["received_at"])
        wiring.timeline.create(spark, schemas.MODEL_TIMELINE, ["from_batch"], ours)
        if wiring.watch and not wiring.gaps:
            wiring.watch.remember_topics()
        return Tables(
            stream, self._fence, wiring.scored, wiring.rejected,
            Timeline(spark, wiring.timeline, self.fetch, self._fence),
            written_upto(spark, checkpoint, wiring.scored, "scored_at", stream),
            written_upto(spark, checkpoint, wiring.rejected, "received_at", stream),
        )  # fmt: skip

    def _await(self, query: StreamingQuery, batches: MicroBatches, fence: Fence) -> bool:
        """Wait for the end of a query; tell whether it was ended because the clock was set back."""
        checked, clock, set_back_s = time.monotonic(), Clock(), 0.0
        while not query.awaitTermination(POLL_SECONDS):
            if time.monotonic() - checked > FENCE_CHECK_S:
                checked = time.monotonic()
                fence.check()
            if not set_back_s and (set_back_s := clock.set_back_s()):
                # Spark waits for the time of day of the next micro-batch.
                self.tell(f"the clock was set back by {set_back_s:,.0f} s; the stream goes on by the new time")
            if self.stopping or set_back_s:
                # The micro-batch in flight is finished, any later one refuses to begin; between two, the query can
                # stop.
                batches.stopping.set()
                if not query.status["isTriggerActive"]:
                    query.stop()
            self.look(query)
        return set_back_s > 0
