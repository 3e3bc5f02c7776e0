"""The fence on a stream: of all runs on one checkpoint, only the one that was started last can write.

Looking up Delta's own transaction number rebuilds the state of the whole table at every commit, which costs a small
micro-batch more than everything else. Instead, a run puts its fence up once: it writes its id into the checkpoint, and
then into a property of each table. Every append reads the id in the checkpoint, as a part of its own Spark job, after
Delta's transaction has begun and before it commits. For an append of a run that was replaced, perhaps paused at the
worst moment, there are two cases. Either it reads another id, and fails. Or it has read its own; then the new run had
not set the property of the table yet when the transaction began, and the commit conflicts with that, as with any change
of metadata. What was committed before, the new run finds in the tables, and does not write again.
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.errors import StreamError
from clickscore.storage.files import read_lines, remove, write_text

RUN_PROPERTY = "clickscore.run"
"""Table property: the run that may write, which is the one that was started last."""

FOLDER = "clickscore-run"
"""Folder of the checkpoint with the id of that run."""

_SCHEMA = "run STRING"


@dataclass(frozen=True)
class Fence:
    """The right of a run to write the tables of a stream.

    Attributes:
        spark: the session.
        folder: where the id of the run stands, in the checkpoint.
        run_id: tells the run from any other that may be alive on the same checkpoint.
        is_held: true, or an error if the run has lost the right, as a column that is read when rows are written.
    """

    spark: SparkSession
    folder: str
    run_id: str
    is_held: Column

    @classmethod
    def acquire(cls, spark: SparkSession, checkpoint: str, run_id: str) -> "Fence":
        """Take the stream over; the tables must be given ``RUN_PROPERTY`` next, and only then be looked at.

        Raises:
            StreamError: if another run takes it at the same moment.
        """
        folder = f"{checkpoint}/{FOLDER}"
        remove(spark, folder)
        write_text(spark, f"{folder}/{run_id}.txt", run_id)
        # The listing is taken here: should another run replace the file, this one is gone, and reading it fails.
        owner = spark.read.schema(_SCHEMA).text(folder)
        replaced = F.raise_error(F.lit(f"run {run_id} has been replaced by another one")).cast("boolean")
        is_held = F.coalesce(owner.select(F.col("run") == run_id).scalar(), replaced)
        fence = cls(spark, folder, run_id, is_held)
        fence.check()
        return fence

    def guard(self, rows: DataFrame) -> DataFrame:
        """Return the same rows; writing them fails if the run has no right to."""
        return rows.where(self.is_held)

    def check(self) -> None:
        """Make sure that no other run has taken the stream over.

        Raises:
            StreamError: if one has.
        """
        if error := self.loss():
            raise error

    def loss(self) -> StreamError | None:
        """Return the error that names the run which has taken the stream over, if one has."""
        owners = read_lines(self.spark, self.folder)
        if owners == [self.run_id]:
            return None
        return StreamError(
            f"another run on the same checkpoint has taken the stream over: {self.folder} says "
            f"{', '.join(owners) or 'nothing'}, this run is {self.run_id}. It ends here; nothing is lost or "
            f"written twice. Make sure that only one run is started at a time."
        )
