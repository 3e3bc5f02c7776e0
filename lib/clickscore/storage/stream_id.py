"""The id of a stream, in the checkpoint: the tables are bound to it before Spark starts a query.

No file system that Spark knows promises to create a file only where there is none. So the id is added to a folder and
read again, between two looks at the fence. Of two first starts at the same moment, the later one puts up the fence
before it looks for an id: either it finds the id of the earlier one, or the earlier one finds the fence and ends. Had
both added one, every reader chooses the same of the two. (An id that appears only after the later run has read its own,
because the earlier one was paused in between, may be chosen at the next start; the tables are bound to the other one
then, and the start is refused.)
"""

from pyspark.sql import SparkSession

from clickscore.storage.fence import Fence
from clickscore.storage.files import read_lines

FOLDER = "clickscore-stream"
"""Folder of the checkpoint with the id."""


def read_stream_id(spark: SparkSession, checkpoint: str) -> str | None:
    """Return the id of the stream that a checkpoint belongs to; None if it has none yet."""
    return min(filter(None, read_lines(spark, f"{checkpoint}/{FOLDER}")), default=None)


def ensure_stream_id(spark: SparkSession, checkpoint: str, fence: Fence, new: str) -> str:
    """Return the id of the stream that a checkpoint belongs to; afterwards the checkpoint has it.

    Args:
        spark: the session.
        checkpoint: where the stream resumes.
        fence: of this run, which must be up.
        new: the id to write where there is none.

    Raises:
        StreamError: if another run has put up its fence.
    """
    if found := read_stream_id(spark, checkpoint):
        return found
    fence.check()
    rows = spark.createDataFrame([(new,)], "value STRING")
    rows.coalesce(1).write.mode("append").text(f"{checkpoint}/{FOLDER}")
    chosen = read_stream_id(spark, checkpoint)
    fence.check()
    return chosen or new
