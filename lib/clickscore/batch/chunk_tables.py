"""The tables of a stream as a chunk finds them, and writes them.

A backfill runs beside the stream, so it must not put up the stream's fence. It has one of its own, below the
checkpoint, and each of its commits is a transaction of Delta's with the number of the chunk: the second one of a number
changes nothing. A run that was replaced either reads another id in the fence, or finds its transaction taken, or is the
one that has taken it. The run that replaced it sees that, and goes on from what is there.
"""

from collections.abc import Collection
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.errors import StreamError
from clickscore.storage.backfills import Chunk
from clickscore.storage.schemas import FIRST_CHUNK
from clickscore.storage.table import Table, of_batch
from clickscore.storage.transactions import RUN, last_batch, newest_transaction, run_of
from clickscore.stream.output_tables import Tables


class OvertakenError(StreamError):
    """Raised when a run that was replaced has written what a chunk has for a table, after this one had looked."""


@dataclass(frozen=True)
class ChunkTables(Tables):
    """The output tables as a chunk finds them; ``stream`` names the transactions of backfills.

    Attributes:
        is_new: whether no other run can have begun the chunk.
    """

    is_new: bool = False

    def append(self, table: Table, rows: DataFrame, batch_id: int) -> None:
        """Append what a chunk has for one of the tables, unless that was done.

        Raises:
            OvertakenError: if it was done, by another run.
        """
        number, run = batch_id - FIRST_CHUNK + 1, self.fence.run_id
        table.append_once(self.fence.guard(rows), self.stream, number, of_batch(self.stream, batch_id) | {RUN: run})
        # A transaction that another run was faster with changes nothing and says nothing.
        self.fence.check()
        spark = self.fence.spark
        if not self.is_new and (other := run_of(spark, table, self.stream, batch_id)) != run:
            raise OvertakenError(f"{table.name} has batch {batch_id} from run {other or 'before'}, not from {run}.")


def begun_in(spark: SparkSession, table: Table, app: str, chunks: Collection[Chunk]) -> set[int]:
    """Return the chunks, by ``batch_id``, that a table has.

    Their rows are there, or the transaction of a commit that had none, or whose rows are gone.

    Args:
        spark: the session.
        table: one of the output tables.
        app: whose transactions the commits of backfills are.
        chunks: those that are asked for.
    """
    ids = {chunk.batch_id for chunk in chunks}
    rows = table.read(spark).where(F.col("batch_id").between(min(ids), max(ids)))
    found = {row[0] for row in rows.select("batch_id").distinct().collect()} & ids
    newest = newest_transaction(spark, table, app)
    if newest is None:
        return found | ({last_batch(spark, table, app)} & ids)
    return found | {chunk.batch_id for chunk in chunks if chunk.number <= newest}
