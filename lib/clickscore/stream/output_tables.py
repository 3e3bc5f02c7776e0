"""The output tables of a run: created where they are missing, bound to the stream, and fenced off from earlier runs."""

import uuid
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from clickscore.sources.identity import remember
from clickscore.storage import schemas
from clickscore.storage.checkpoint import Checkpoint, written_upto
from clickscore.storage.constraints import Constraint, decidable, read_constraints
from clickscore.storage.fence import RUN_PROPERTY, Fence
from clickscore.storage.stream_id import ensure_stream_id
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch
from clickscore.stream.definition import privacy_properties
from clickscore.stream.preflight import Wiring


@dataclass(frozen=True)
class Tables:
    """The output tables as a query finds them.

    Attributes:
        stream: id of the stream.
        fence: the right to write them.
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
        scored_upto: last micro-batch that was in ``scored`` when the query began.
        rejected_upto: the same for ``rejected``.
        constraints: which ``scored`` had then, as far as they can be decided from the columns that the stream writes.
    """

    stream: str
    fence: Fence
    scored: Table
    rejected: Table
    scored_upto: int
    rejected_upto: int
    constraints: tuple[Constraint, ...] = ()

    def append(self, table: Table, rows: DataFrame, batch_id: int) -> None:
        """Append what a micro-batch has for one of the tables."""
        table.append(self.fence.guard(rows), of_batch(self.stream, batch_id))

    def read_constraints(self, spark: SparkSession, layout: schemas.Layout) -> tuple[Constraint, ...]:
        """Return what ``constraints`` would be now."""
        return _constraints(spark, self.scored, layout)


def _constraints(spark: SparkSession, scored: Table, layout: schemas.Layout) -> tuple[Constraint, ...]:
    return decidable(spark, read_constraints(spark, scored), layout.scored)


@dataclass(frozen=True)
class Binding:
    """What binds the tables to this stream and this run.

    Attributes:
        stream: id of the stream, which the checkpoint keeps.
        fence: of this run.
    """

    stream: str
    fence: Fence

    def tables(self, spark: SparkSession, wiring: Wiring, checkpoint: Checkpoint) -> Tables:
        """Return the tables as they are for a query that goes on from the checkpoint."""
        scored, rejected, stream = wiring.scored, wiring.rejected, self.stream
        return Tables(
            stream, self.fence, scored, rejected,
            scored_upto=written_upto(spark, checkpoint, scored, "scored_at", stream),
            rejected_upto=written_upto(spark, checkpoint, rejected, "received_at", stream),
            constraints=_constraints(spark, scored, wiring.definition.layout),
        )  # fmt: skip


def bind(spark: SparkSession, wiring: Wiring) -> Binding:
    """Take the stream over, and create the tables that are missing.

    The checkpoint has an id of the stream and the identity of its source afterwards. One that an earlier version of
    clickscore has made keeps the id by which the tables know it, that of Spark's query.

    Raises:
        StreamError: if another run takes the stream over at the same moment.
    """
    layout, path = wiring.definition.layout, wiring.checkpoint.path
    # First the fence, then the look at what is there: no other run adds to it any more.
    fence = Fence.acquire(spark, path, str(uuid.uuid4()))
    stream = ensure_stream_id(spark, path, fence, new=wiring.checkpoint.stream or str(uuid.uuid4()))
    remember(spark, wiring.config.source, path, fence)
    ours = {STREAM_PROPERTY: stream, RUN_PROPERTY: fence.run_id}
    asked_by = [layout.time, layout.visitor]
    known = ours | privacy_properties(wiring.definition.contract)
    wiring.scored.create(spark, layout.scored, [*asked_by, "batch_id"], known, asked_by, schemas.FINITE_SCORE)
    wiring.rejected.create(spark, layout.rejected, ["received_at", "batch_id"], known, ["received_at"])
    wiring.timeline.create(spark, schemas.MODEL_TIMELINE, ["from_batch"], ours)
    if wiring.watch and not wiring.gaps:
        wiring.watch.remember_topics()
    return Binding(stream, fence)
