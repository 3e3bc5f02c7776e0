"""The stream: runs queries over the source, one after the other if needed, until its end or a request to stop."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery

from clickscore.config.run import AVAILABLE_NOW
from clickscore.errors import SourceError, StreamError, WiringError
from clickscore.monitoring.report import Report
from clickscore.retries import STREAM_LIMIT_S, retrying
from clickscore.sources.gaps import describe_loss
from clickscore.sources.kinds import kind_of
from clickscore.sources.unreadable_files import UnreadableFileError
from clickscore.spark_errors import SPARK_ERRORS, engine_words, transient_cause
from clickscore.storage.checkpoint import Checkpoint, read_checkpoint
from clickscore.storage.pause import Pauses
from clickscore.stream.active_models import ActiveModels
from clickscore.stream.batch_scoring import BatchScorer
from clickscore.stream.crash_loop import note_start
from clickscore.stream.deduplication import mark_duplicates, prepare_state
from clickscore.stream.micro_batch import BatchResult, MicroBatches
from clickscore.stream.next_step import Done, ExplainLoss, Failure, Raise, State, Step, WithoutFile, next_step
from clickscore.stream.output_tables import Binding
from clickscore.stream.preflight import Wiring
from clickscore.stream.supervision import POLL_SECONDS, Supervision
from clickscore.stream.unwritable import Unwritable


@dataclass
class Stream:
    """Scores the clicks of the source, over as many queries as it takes.

    A query ends before its time when a file cannot be read, when the clock was set back, and when something fails that
    may pass. The next one plans the same micro-batch again, from the checkpoint.

    Attributes:
        spark: the session.
        wiring: the parts of the run.
        binding: of the output tables to this stream and this run.
        models: champion and challenger.
        batch_scorer: scores micro-batches with them.
        report: is told about every finished micro-batch.
        tell: prints a line on the console.
        failed: is told about every failure that the stream tries to get over.
        pauses: what other jobs have asked for.
        look: sees the query every second.
        signals: holds something as soon as the run is asked to stop.
        accept_loss: continue where records were lost from the source.
    """

    spark: SparkSession
    wiring: Wiring
    binding: Binding
    models: ActiveModels
    batch_scorer: BatchScorer
    report: Callable[[Report], None]
    tell: Callable[[str], None]
    failed: Callable[[], None]
    pauses: Pauses
    look: Callable[[StreamingQuery], None]
    signals: list[int]
    accept_loss: bool = False
    _unreadable: list[UnreadableFileError] = field(default_factory=list)
    _progressed: bool = False
    _last_done: int = -1
    _failure: Exception | None = None

    def run(self) -> None:
        """Score until the source is exhausted or the run is asked to stop.

        Raises:
            StreamError: if it cannot go on, for a reason that we can tell.
            StreamingQueryException: if it cannot go on for another reason.
        """
        interrupted = note_start(self.spark, self.wiring.config.source, self.wiring.checkpoint)
        if interrupted and interrupted.warning:
            self.tell(interrupted.warning)
        try:
            self._run()
        except StreamError:
            raise
        except Exception as error:  # whatever has ended the run is raised again, in words if it does so each time
            if interrupted and self._last_done < interrupted.batch_id:
                raise interrupted.explain(engine_words(self._failure or error)) from error
            raise

    def _run(self) -> None:
        patiently = retrying(self.tell, STREAM_LIMIT_S, self._pause, self._has_progressed, self.failed)
        with failing_clearly(STREAM_LIMIT_S):
            patiently(self._run_queries)

    def _run_queries(self) -> None:
        while not self.signals and not self._run_query():
            pass

    def _run_query(self) -> bool:
        """Run one query; tell whether it was the last."""
        # First the fence, then the checkpoint: an earlier run or query may have planned micro-batches until then.
        self.binding.fence.check()
        checkpoint = read_checkpoint(self.spark, self.wiring.checkpoint.path)
        stopping, results = threading.Event(), deque[BatchResult](maxlen=1)
        query = self._start(self._micro_batches(checkpoint, stopping, results))
        watch = Supervision(self.binding.fence, self.signals, self.tell, self.look)
        try:
            step = next_step(None, self._state(is_clock_set_back=watch.await_end(query, stopping)))
        except StreamingQueryException as error:
            failure = Failure(error, results[-1].failure if results else None)
            step = next_step(failure, self._state(replaced=self.binding.fence.loss()))
        finally:
            query.stop()
        return self._follow(step)

    def _micro_batches(
        self, checkpoint: Checkpoint, stopping: threading.Event, results: deque[BatchResult]
    ) -> MicroBatches:
        def take(result: BatchResult) -> None:
            results.append(result)
            self._failure = result.failure
            if result.report:
                self._progressed, self._last_done = True, result.report.batch_id
                self.report(result.report)

        wiring, kind = self.wiring, kind_of(self.wiring.config.source)
        return MicroBatches(
            spark=self.spark,
            layout=wiring.definition.layout,
            models=self.models,
            batch_scorer=self.batch_scorer,
            tables=self.binding.tables(self.spark, wiring, checkpoint),
            planned_before=checkpoint.last_planned,
            stopping=stopping,
            wait=partial(self.pauses.wait, is_stopping=stopping.is_set),
            hand_over=take,
            unreadable=tuple(self._unreadable),
            unwritable=Unwritable(
                self.spark, wiring.definition.layout, wiring.scored, wiring.checkpoint.path, self.tell
            ),
            read_again=partial(
                kind.read_again, self.spark, wiring.config.source, wiring.config.checkpoint, self.accept_loss
            ),
            plan_of=partial(kind.plan_of, self.spark, wiring.config.source, wiring.config.checkpoint),
            lost_files=partial(kind.lost_files, self.spark, wiring.config.checkpoint),
            has_taken=partial(kind.has_taken, self.spark, wiring.config.checkpoint),
            has_duplicates=wiring.config.deduplicate is not None,
            record_gaps=wiring.watch.record if wiring.watch and self.accept_loss else None,
        )

    def _start(self, batches: MicroBatches) -> StreamingQuery:
        config, definition = self.wiring.config, self.wiring.definition
        unreadable = [file.path for file in self._unreadable]
        rows = kind_of(config.source).read_stream(self.spark, config.source, unreadable, self.accept_loss)
        if config.deduplicate:
            prepare_state(self.spark)
            rows = mark_duplicates(rows, definition.contract, config.deduplicate.window_ms)
        writer = rows.writeStream.queryName("clickscore").option("checkpointLocation", config.checkpoint)
        if config.trigger == AVAILABLE_NOW:
            writer = writer.trigger(availableNow=True)
        else:
            writer = writer.trigger(processingTime=config.trigger)
        return writer.foreachBatch(batches).start()

    def _state(self, is_clock_set_back: bool = False, replaced: StreamError | None = None) -> State:
        return State(
            is_stopping=bool(self.signals),
            is_clock_set_back=is_clock_set_back,
            replaced=replaced,
            unreadable=frozenset(file.path for file in self._unreadable),
            accept_loss=self.accept_loss,
        )

    def _follow(self, step: Step) -> bool:
        """Prepare the next query, and tell whether there is none; raise what ends this attempt."""
        match step:
            case WithoutFile(file):
                self._unreadable.append(file)
                self.tell(f"cannot read {file}; it goes to the rejected clicks")
            case ExplainLoss(error):
                self._explain_loss()
                raise error
            case Raise(error):
                raise error
        return isinstance(step, Done)

    def _explain_loss(self) -> None:
        """Raise a better error than the engine's, if records that are gone are why the stream has failed."""
        if not self.wiring.watch:
            return
        try:
            gaps = self.wiring.watch.gaps_ahead(read_checkpoint(self.spark, self.wiring.checkpoint.path))
        except SourceError:
            return  # The broker is away, so the engine's own error is the better one.
        if gaps:
            raise StreamError(describe_loss(gaps))

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.signals and time.monotonic() < until:
            time.sleep(min(POLL_SECONDS, seconds))

    def _has_progressed(self) -> bool:
        progressed, self._progressed = self._progressed, False
        return progressed


@contextmanager
def failing_clearly(limit_s: float) -> Iterator[None]:
    """Turn what ends a stream, once it has begun to write, into an error that says what to do.

    Args:
        limit_s: for how long transient failures have been retried.

    Raises:
        StreamError: for a transient failure, and for wiring that has become wrong.
    """
    try:
        yield
    except (*SPARK_ERRORS, WiringError) as error:
        if cause := transient_cause(error):
            raise StreamError(
                f"{cause}: still failing after {limit_s:.0f} s. Nothing is lost: fix the cause and start again; the "
                f"stream resumes from the checkpoint."
            ) from error
        if isinstance(error, WiringError):
            raise StreamError(f"the stream cannot continue: {error}") from error
        raise
