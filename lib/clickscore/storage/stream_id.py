"""Who a stream is, in its checkpoint: written at its first start, before Spark starts a query, and never changed.

No file system that Spark knows promises to create a file only where there is none. So a text is added to a folder and
read again, between two looks at the fence. Of two first starts at the same moment, the later one puts up the fence
before it looks for a text: either it finds that of the earlier one, or the earlier one finds the fence and ends. Had
both added one, every reader chooses the same of the two. (A text that appears only after the later run has read its
own, because the earlier one was paused in between, may be chosen at the next start; what the later run has begun does
not fit to it then, and the start is refused.)
"""

from pyspark.sql import SparkSession

from clickscore.storage.fence import Fence
from clickscore.storage.files import read_lines, write_text

FOLDER = "clickscore-stream"
"""Folder of the checkpoint with the id of the stream, to which the tables are bound."""


def read_stream_id(spark: SparkSession, checkpoint: str) -> str | None:
    """Return the id of the stream that a checkpoint belongs to; None if it has none yet."""
    return read_lasting(spark, checkpoint, FOLDER)


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
    return ensure_lasting(spark, checkpoint, FOLDER, fence, new)


def read_lasting(spark: SparkSession, checkpoint: str, folder: str) -> str | None:
    """Return the line of text that a folder of a checkpoint keeps; None if it has none yet."""
    return min(filter(None, read_lines(spark, f"{checkpoint}/{folder}")), default=None)


def ensure_lasting(spark: SparkSession, checkpoint: str, folder: str, fence: Fence, new: str) -> str:
    """Return the line of text that a folder of a checkpoint keeps; afterwards it has one, the ``new`` one if need be.

    Raises:
        StreamError: if another run has put up its fence.
    """
    if found := read_lasting(spark, checkpoint, folder):
        return found
    fence.check()
    write_text(spark, f"{checkpoint}/{folder}/{fence.run_id}.txt", new)
    chosen = read_lasting(spark, checkpoint, folder)
    fence.check()
    return chosen or new
