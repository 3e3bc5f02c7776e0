"""Chunks are scored as micro-batches are: by the same code, with the same commits, but in transactions of their own."""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial, reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.batch import ranges
from clickscore.batch.chunk_tables import ChunkTables, OvertakenError, begun_in
from clickscore.batch.missing import read_part_files
from clickscore.batch.wiring import Wiring
from clickscore.config.source import KafkaSource
from clickscore.errors import BatchError, StreamError, WiringError
from clickscore.monitoring.report import Report
from clickscore.registry.version import ModelVersion
from clickscore.retries import STREAM_LIMIT_S, persistently
from clickscore.scoring.isolation import Tolerance
from clickscore.sources import folder, kafka
from clickscore.sources.gap_detection import TopicWatch
from clickscore.sources.records import BatchPlan
from clickscore.sources.unreadable_files import UnreadableFileError
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.backfills import Backfills, Chunk
from clickscore.storage.constraints import decidable, read_constraints
from clickscore.storage.fence import Fence
from clickscore.storage.files import plain_uri
from clickscore.stream.batch_scoring import BatchScorer
from clickscore.stream.deployment import Deployment
from clickscore.stream.micro_batch import ConstraintsChangedError, MicroBatches
from clickscore.stream.refusals import Refusals
from clickscore.stream.score_function import ScoreFunction
from clickscore.stream.unwritable import Unwritable


@dataclass(frozen=True)
class OneVersion:
    """Chooses the same version for every chunk, and no challenger."""

    model: ModelVersion

    def models_for(self, *_: object) -> tuple[ModelVersion, ModelVersion | None]:
        """Return the version."""
        return self.model, None


@dataclass(frozen=True)
class ChunkScorer:
    """Scores chunks into the tables of the stream.

    Attributes:
        spark: the session.
        wiring: the parts of the run.
        deployment: the versions on the executors.
        backfills: the table with the plans.
        fence: of this run.
        refusals: visitors whose clicks are refused.
        tell: prints a line on the console.
    """

    spark: SparkSession
    wiring: Wiring
    deployment: Deployment
    backfills: Backfills
    fence: Fence
    refusals: Refusals
    tell: Callable[[str], None]

    def batch_scorer(self) -> BatchScorer:
        """Return what scores the chunks of one version, and counts its failures over all of them."""
        config, definition = self.wiring.config.model, self.wiring.definition

        def score_with(model: ModelVersion, tolerance: Tolerance, _: ModelVersion | None) -> ScoreFunction:
            self.refusals.look()
            contract = self.refusals.applied(definition.contract)
            return self.deployment.score_with(contract, definition.features, model, tolerance)

        return BatchScorer(
            definition.layout, score_with, config.time_limit_ms / 1000, config.failure_limit,
            suspend=_nobody, withdraw=_nobody, tell=self.tell,
        )  # fmt: skip

    def score(self, chunk: Chunk, model: ModelVersion, batch_scorer: BatchScorer, is_new: bool) -> Report:
        """Score a chunk, each record exactly once, whatever an earlier run has done of it.

        Args:
            chunk: the chunk.
            model: the version that the plan names.
            batch_scorer: counts the failures of the version.
            is_new: whether no run can have begun it.

        Raises:
            BatchError: if it cannot be scored.
        """
        is_first = iter([is_new])
        try:
            report = persistently(
                lambda: self._score(chunk, model, batch_scorer, next(is_first, False)),
                self.tell,
                BatchError,
                STREAM_LIMIT_S,
            )
            self._record_gaps(chunk)
            self.backfills.finish(chunk, report.scored, report.rejected, self.fence)
        except (StreamError, WiringError, BatchError, *SPARK_ERRORS) as error:
            if self.fence.loss():
                raise BatchError(
                    "another backfill of the same tables has begun, and this one ends. Nothing is lost, and nothing is "
                    "written twice: let the other one end, then start this one again."
                ) from error
            if isinstance(error, StreamError | WiringError):
                where = f"chunk {chunk.number}, which is batch {chunk.batch_id}"
                raise BatchError(f"{where}: {error} Chunks before it are done; start again to go on.") from error
            raise
        return report

    def _record_gaps(self, chunk: Chunk) -> None:
        """Write down which records of a topic had aged out before they were read; those read in time are in a table."""
        if not isinstance(source := self.wiring.config.source, KafkaSource) or chunk.parts[0].place:
            return
        watch = TopicWatch(self.spark, source, self.wiring.checkpoint.path, self.wiring.scored, self.wiring.rejected)
        now = datetime.now(timezone.utc)
        for gap in watch.record_chunk(map(ranges.as_span, chunk.parts), chunk.batch_id, now, self.wiring.stream):
            self.tell(f"{gap}; source_gaps has them")

    def _score(self, chunk: Chunk, model: ModelVersion, batch_scorer: BatchScorer, is_new: bool) -> Report:
        is_file = chunk.parts[0].first_offset is None
        landed = landed_files(self.spark, [chunk]) if is_file else set()
        gone = [part.source for part in chunk.parts if part.source not in landed] if is_file else []
        unreadable = [UnreadableFileError(chunk.batch_id, path, "it is no longer there") for path in gone]
        while True:
            tables, is_new = self._tables(chunk, is_new), False
            batches = self._batches(chunk, model, batch_scorer, tables, unreadable)
            passed_over = {plain_uri(file.path) for file in unreadable}
            raw = self._read(chunk, [part.source for part in chunk.parts if plain_uri(part.source) not in passed_over])
            result = batches.process(raw, chunk.batch_id)
            match result.failure:
                case None:
                    assert result.report
                    return result.report
                case UnreadableFileError() as file if plain_uri(file.path) not in passed_over:
                    unreadable.append(file)
                case ConstraintsChangedError() | OvertakenError():
                    pass
                case failure:
                    raise failure

    def _batches(
        self, chunk: Chunk, model: ModelVersion, batch_scorer: BatchScorer, tables: ChunkTables,
        unreadable: list[UnreadableFileError],
    ) -> MicroBatches:  # fmt: skip
        layout, scored = self.wiring.definition.layout, self.wiring.scored
        files = {plain_uri(part.source) for part in chunk.parts if part.place}
        return MicroBatches(
            self.spark, layout, OneVersion(model), batch_scorer, tables,
            planned_before=chunk.batch_id, stopping=threading.Event(), wait=_nobody, hand_over=_nobody,
            unreadable=unreadable,
            unwritable=Unwritable(self.spark, layout, scored, self.wiring.checkpoint.path, self.tell),
            read_again=partial(self._read_past_times, chunk),
            has_taken=lambda path: plain_uri(path) in files, lost_files=lambda *_: (),
            plan_of=lambda _: BatchPlan(str(chunk), "start the backfill of a smaller range"),
        )  # fmt: skip

    def _tables(self, chunk: Chunk, is_new: bool) -> ChunkTables:
        scored, rejected, app = self.wiring.scored, self.wiring.rejected, self.backfills.app
        rejected_upto = chunk.batch_id - (is_new or not begun_in(self.spark, rejected, app, [chunk]))
        scored_upto = chunk.batch_id - (is_new or not self.begun([chunk]))
        shape = self.wiring.definition.layout.scored
        constraints = decidable(self.spark, read_constraints(self.spark, scored), shape)
        return ChunkTables(app, self.fence, scored, rejected, scored_upto, rejected_upto, constraints, is_new)

    def begun(self, chunks: Collection[Chunk]) -> set[int]:
        """Return the chunks, by ``batch_id``, whose scores are committed; what they reject is so after that."""
        tables = self.wiring.scored, self.wiring.rejected
        return set[int]().union(*[begun_in(self.spark, table, self.backfills.app, chunks) for table in tables])

    def _read(self, chunk: Chunk, sources: Collection[str]) -> DataFrame:
        """Return the records of a chunk, of those files that can be read; columns as in ``schemas.raw``."""
        place, source = chunk.parts[0].place, self.wiring.config.source
        if place is None:
            assert isinstance(source, KafkaSource)
            bounds = self._bounds(chunk)
            return reduce(DataFrame.unionByName, [kafka.read_range(self.spark, source, each) for each in bounds])
        lines = folder.read_files(self.spark, place, sources)
        kept = {field.name: F.lit(None).cast(field.dataType) for field in self.wiring.definition.layout.kept}
        return lines.withColumns(kept) if kept else lines

    def _bounds(self, chunk: Chunk) -> list[dict[tuple[str, int], tuple[int, int]]]:
        """Return the offsets of a chunk by partition; Spark reads one range of a partition at a time."""
        found: list[dict[tuple[str, int], tuple[int, int]]] = []
        for partition, begin, end in map(ranges.as_span, chunk.parts):
            free = next((bounds for bounds in found if partition not in bounds), None)
            if free is None:
                found.append(free := {})
            free[partition] = (begin, end)
        return found

    def _read_past_times(self, chunk: Chunk, _batch_id: int) -> DataFrame | None:
        """Read the records of a chunk past times that Spark cannot hold; None if none has one."""
        source = self.wiring.config.source
        if not isinstance(source, KafkaSource):
            return None
        bounds = self._bounds(chunk)
        found = [kafka.read_past_times(self.spark, source, each) for each in bounds]
        if all(part is None for part in found):
            return None
        parts = [kafka.read_range(self.spark, source, each) if part is None else part
                 for part, each in zip(found, bounds, strict=True)]  # fmt: skip
        return reduce(DataFrame.unionByName, parts)


def landed_files(spark: SparkSession, chunks: Collection[Chunk]) -> set[str]:
    """Return the files that are still in the folders of some chunks."""
    places = {part.place for chunk in chunks for part in chunk.parts if part.place}
    return {row.source for place in sorted(places) for row in read_part_files(spark, place).select("source").collect()}


def _nobody(*_: object) -> None:
    """Tell nobody and wait for nobody: a chunk has no challenger, no pin in the timeline, and no request to wait."""
