"""A landing folder as a source: each line of its files is a record."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.source import FolderSource
from clickscore.console import counted
from clickscore.errors import SourceError
from clickscore.sources import file_log
from clickscore.sources.file_log import FILE_NAMES, list_landed, newest_taken, planned_files, read_log
from clickscore.sources.records import BatchInput, BatchPlan, bounded, shortened, without_offsets
from clickscore.storage import places
from clickscore.storage.files import path_exists, plain_source, plain_uri
from clickscore.storage.offset_log import file_entry

FOREVER = "100000000d"
"""Age below which files are remembered, and above which Spark would silently skip them: effectively no limit. It is
counted from the newest file, whose time may be centuries ahead of all others."""

FILE_PATH = "_metadata.file_path"
EXAMPLES = 5
MOST_FILES = 100
"""Files of a micro-batch that its lineage names."""


def check(spark: SparkSession, source: FolderSource) -> None:
    """Make sure that the folder is there, and that no link in it leads to files of it once more.

    Raises:
        SourceError: if not.
    """
    check_folder(spark, "source.path", source.path)


def check_folder(spark: SparkSession, role: str, path: str) -> None:
    """Make sure of the same of any folder of files; ``role`` is what names it."""
    if not path_exists(spark, path):
        raise SourceError(f"{role}: no such folder: {path}. Create it, or correct the path.")
    folder = places.local_path(places.qualified(spark, path))
    try:
        links = places.links_in(folder) if folder else []
    except OSError as error:
        raise SourceError(
            f"{role}: {error.filename} cannot be read: {error.strerror}. Give the job the right to read it, or let its "
            f"name begin with a dot."
        ) from None
    if links:
        raise SourceError(
            f"{role}: {', '.join(links[:EXAMPLES])} {'is a link' if len(links) == 1 else 'are links'} to a folder "
            f"that is read under another name as well: its clicks would be scored twice. Remove the link, or let its "
            f"name begin with a dot."
        )


def check_fields(*_: object) -> None:
    """Do nothing: what is in a line shows when it is read."""


def warnings(*_: object) -> list[str]:
    """Return nothing: a folder has nothing to warn about."""
    return []


def read_stream(
    spark: SparkSession, source: FolderSource, unreadable: Collection[str] = (), _accept_loss: bool = False
) -> DataFrame:
    """Start reading; columns as in ``schemas.raw``.

    Args:
        spark: the session.
        source: what to read.
        unreadable: paths of files to pass over, as Spark names them.
    """
    lines = (
        spark.readStream.format("text")
        .option("maxBytesPerTrigger", source.max_bytes)
        .option("lineSep", "\n")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", FILE_NAMES)
        .option("maxFileAge", FOREVER)
        .load(source.path)
    )
    return _records(lines.where(~F.col(FILE_PATH).isin(*unreadable)) if unreadable else lines)


def read_batch(spark: SparkSession, folder: str) -> DataFrame:
    """Read all files of a folder once; columns as in ``schemas.raw``."""
    reader = spark.read.format("text").option("lineSep", "\n").option("recursiveFileLookup", "true")
    return _records(reader.option("pathGlobFilter", FILE_NAMES).load(folder))


def read_files(spark: SparkSession, folder: str, files: Collection[str]) -> DataFrame:
    """Read some files of a folder once, by their paths as Spark writes them; columns as in ``schemas.raw``."""
    reader = spark.read.format("text").option("lineSep", "\n").option("recursiveFileLookup", "true")
    lines = reader.option("pathGlobFilter", FILE_NAMES).load(folder)
    # By a condition: a path that is given to the reader is a pattern, and a name may have brackets.
    return _records(lines.where(F.col(FILE_PATH).isin(*files)))


def _records(lines: DataFrame) -> DataFrame:
    # Lines have no offset: Spark splits large files, and then the number of a line is unknown.
    return without_offsets(lines, bounded(F.col("value")), F.col(FILE_PATH))


def watch_gaps(*_: object) -> None:
    """Return nothing: Spark does not tell of files that were removed before it listed them."""


def files_ahead(spark: SparkSession, source: FolderSource, checkpoint: str) -> int:
    """Return how many files have landed that the stream has not taken yet."""
    return list_landed(spark, source.path).join(read_log(spark, checkpoint), on="source", how="left_anti").count()


def read_again(*_: object) -> None:
    """Return nothing: its records have no time of their own."""


def lost_files(spark: SparkSession, checkpoint: str, batch_id: int, known: Collection[str]) -> list[str]:
    """Return the files of a micro-batch that were moved or deleted before it read them."""
    return file_log.lost_files(spark, checkpoint, batch_id, known)


def plan_of(spark: SparkSession, _source: FolderSource, checkpoint: str, batch_id: int) -> BatchPlan:
    """Return the files that a micro-batch was planned to read."""
    files = sorted(map(plain_uri, planned_files(spark, checkpoint, batch_id)))
    return BatchPlan(
        f"{counted(len(files), 'file')}: {shortened(files)}",
        "move the file that causes this out of the landing folder, so that the stream goes on without it, and land its "
        "good records under a new name",
    )


def inputs_of(spark: SparkSession, source: FolderSource, checkpoint: str, batch_id: int) -> list[BatchInput]:
    """Return the names of the files that a micro-batch was planned to read, the first hundred of them."""
    files = sorted(map(plain_uri, planned_files(spark, checkpoint, batch_id)))
    return [BatchInput(places.qualified(spark, source.path), {"files": files[:MOST_FILES], "count": len(files)})]


def has_taken(spark: SparkSession, checkpoint: str, path: str) -> bool:
    """Tell whether a file, as Spark names it, is one that the stream has taken."""
    taken = read_log(spark, checkpoint).where(F.col("source") == plain_source(F.lit(path)))
    return not taken.isEmpty()


def reported_ends(*_: object) -> None:
    """Return nothing: Spark does not report what else is in a folder."""


def unread_since(
    spark: SparkSession, _source: FolderSource, checkpoint: str, end: Mapping[str, Any]
) -> datetime | None:
    """Return the time of the newest file of a trigger: Spark reads the oldest files first."""
    return newest_taken(spark, checkpoint, file_entry(end))
