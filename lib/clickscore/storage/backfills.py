"""The table ``backfills``: what backfills have planned to score, in chunks, and which chunks are done.

A chunk is to a backfill what a micro-batch is to the stream: one commit of each table, by one version. Its plan is
written before a record of it is scored, so that a backfill which was killed goes on with the same chunks, and the audit
knows what the tables must hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from itertools import groupby
from typing import NamedTuple

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.storage.fence import Fence
from clickscore.storage.schemas import FIRST_CHUNK, column
from clickscore.storage.table import STREAM_PROPERTY, Table

BACKFILLS = T.StructType(
    [
        column("backfill_id", T.LongType(), "Number of the backfill", nullable=False),
        column("batch_id", T.LongType(), "Chunk, as in the rows that it wrote", nullable=False),
        column(
            "event",
            T.StringType(),
            "planned: one row for each file or partition; pinned: one row, the version of "
            "the plan is gone, and another one takes its place; done: one row",
            nullable=False,
        ),
        column("place", T.StringType(), "Folder of the file; null for a partition"),
        column("source", T.StringType(), "File, or topic and partition; null for pinned and done"),
        column("first_offset", T.LongType(), "First offset of the chunk; null for a file"),
        column("last_offset", T.LongType(), "Last offset of the chunk; null for a file"),
        column("changed_at", T.TimestampType(), "When the file had been changed last, UTC; null for a partition"),
        column("model_name", T.StringType(), "Registered model that scores the chunk", nullable=False),
        column("model_version", T.StringType(), "Its version", nullable=False),
        column("scored", T.LongType(), "Clicks that got a score; null unless done"),
        column("rejected", T.LongType(), "Records that were rejected; null unless done"),
        column("written_at", T.TimestampType(), "When the job decided or finished it, UTC", nullable=False),
    ]
)

NAME = "backfills"
PLANNED, PINNED, DONE = "planned", "pinned", "done"


class Part(NamedTuple):
    """What a chunk reads of one file or one partition.

    Attributes:
        source: the file as Spark writes it, or topic and partition; as in the tables.
        place: folder of the file.
        changed_at: when the file had been changed last.
        first_offset: first offset of a partition.
        last_offset: the last one.
    """

    source: str
    place: str | None = None
    changed_at: datetime | None = None
    first_offset: int | None = None
    last_offset: int | None = None


@dataclass(frozen=True)
class Chunk:
    """Records that are scored and committed together.

    Attributes:
        backfill_id: the backfill.
        batch_id: number of the chunk, as in the rows that it writes.
        model_name: registered model that scores it.
        model_version: its version.
        parts: what it reads.
    """

    backfill_id: int
    batch_id: int
    model_name: str
    model_version: str
    parts: Sequence[Part]

    @property
    def number(self) -> int:
        """Number of the chunk among all of the tables, from 1; Delta's transactions have it."""
        return self.batch_id - FIRST_CHUNK + 1

    @property
    def model(self) -> tuple[str, str]:
        """Name and version of the model that scores it."""
        return self.model_name, self.model_version


@dataclass(frozen=True)
class Backfills:
    """The backfills into the tables of one stream.

    Attributes:
        spark: the session.
        table: the table.
        app: whose transactions the commits of backfills are.
    """

    spark: SparkSession
    table: Table
    app: str

    @classmethod
    def of(cls, spark: SparkSession, scored: Table, stream: str) -> "Backfills":
        """Return those into the table of scored clicks of a stream."""
        return cls(spark, scored.beside(NAME), f"clickscore-backfill-{stream}")

    def read(self) -> DataFrame:
        """Return the rows of the table; none where there was no backfill."""
        if self.table.exists(self.spark):
            return self.table.read(self.spark)
        return self.spark.createDataFrame([], BACKFILLS)

    def newest(self) -> int | None:
        """Return the number of the newest chunk that is planned; None where there was no backfill."""
        found = self.read().agg(F.max("batch_id")).collect()[0][0]
        return None if found is None else int(found)

    def planned(self) -> DataFrame:
        """Return one row for each part of all chunks."""
        return self.read().where(F.col("event") == PLANNED)

    def unfinished(self) -> list[Chunk]:
        """Return the chunks that are planned and not done, in the order in which they are scored."""
        if not self.table.exists(self.spark):
            return []
        done = self.read().where(F.col("event") == DONE).select("batch_id")
        rows = self.read().join(done, "batch_id", "left_anti").orderBy("batch_id", "source", "first_offset")
        found = []
        for _, group in groupby(rows.collect(), lambda row: row.batch_id):
            events = list(group)
            newest = max(events, key=lambda row: row.written_at)
            found.append(
                Chunk(newest.backfill_id, newest.batch_id, newest.model_name, newest.model_version,
                      [Part(**{name: row[name] for name in Part._fields}) for row in events if row.event == PLANNED])
            )  # fmt: skip
        return found

    def plan(self, parts: Iterable[Sequence[Part]], model: tuple[str, str], fence: Fence) -> list[Chunk]:
        """Write down what a new backfill scores, and return its chunks.

        Args:
            parts: of each chunk.
            model: name and version of the model that scores them.
            fence: of this run; one that was replaced plans nothing.

        Raises:
            StreamError: if another backfill of these tables has begun meanwhile.
        """
        self.table.create(self.spark, BACKFILLS, ["backfill_id", "batch_id"], {STREAM_PROPERTY: self.app})
        backfill_id = self.read().agg(F.max("backfill_id")).collect()[0][0] or 0
        newest = self.newest()
        last = FIRST_CHUNK - 1 if newest is None else newest
        chunks = [Chunk(backfill_id + 1, batch_id, *model, part) for batch_id, part in enumerate(parts, last + 1)]
        now = datetime.now(timezone.utc)
        rows = [
            self._row(chunk, PLANNED, now, part._asdict()) for chunk in chunks for part in chunk.parts
        ]  # fmt: skip
        frame = fence.guard(self.spark.createDataFrame(rows, BACKFILLS).coalesce(1))
        self.table.append_once(frame, self.app, backfill_id + 1, {"backfill": backfill_id + 1})
        # A transaction that another run was faster with changes nothing and says nothing.
        fence.check()
        return chunks

    def pin(self, chunks: Iterable[Chunk], model: tuple[str, str], fence: Fence) -> list[Chunk]:
        """Write down that another version scores some chunks, and return them with it; nothing of them is written yet.

        Args:
            chunks: that are planned.
            model: name and version of the model that scores them.
            fence: of this run; one that was replaced pins nothing.
        """
        pinned = [replace(chunk, model_name=model[0], model_version=model[1]) for chunk in chunks]
        now = datetime.now(timezone.utc)
        rows = [self._row(chunk, PINNED, now, {}) for chunk in pinned]
        # Said twice, it is as true as said once.
        self.table.append(fence.guard(self.spark.createDataFrame(rows, BACKFILLS).coalesce(1)))
        return pinned

    def finish(self, chunk: Chunk, scored: int, rejected: int, fence: Fence) -> None:
        """Write down that a chunk is in the tables."""
        row = self._row(chunk, DONE, datetime.now(timezone.utc), {"scored": scored, "rejected": rejected})
        # Said twice, it is as true as said once: this needs no transaction of its own.
        self.table.append(fence.guard(self.spark.createDataFrame([row], BACKFILLS).coalesce(1)))

    def _row(self, chunk: Chunk, event: str, now: datetime, more: Mapping[str, object]) -> tuple[object, ...]:
        known = {
            "backfill_id": chunk.backfill_id, "batch_id": chunk.batch_id, "event": event, "written_at": now,
            "model_name": chunk.model_name, "model_version": chunk.model_version, **more,
        }  # fmt: skip
        return tuple(known.get(name) for name in BACKFILLS.names)
