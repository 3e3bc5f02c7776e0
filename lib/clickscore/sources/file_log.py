"""The files of a landing folder: those that exist, and those that the stream has logged as read."""

import json
from collections.abc import Collection
from datetime import datetime, timezone
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.sources.records import LAST_MS
from clickscore.storage.files import path_exists, plain_source, plain_uri, read_text
from clickscore.storage.offset_log import file_entry, read_plan

FILE_NAMES = "*.{json,jsonl,ndjson,json.gz,jsonl.gz,ndjson.gz}"
"""Files of a landing folder that are read. Spark passes over hidden names (``files.is_hidden``), and these endings over
``.tmp``, ``.part`` and the like: a file counts once it has been renamed to its final name."""

_ENTRIES = "path STRING, timestamp BIGINT, batchId BIGINT"


def newest_taken(spark: SparkSession, checkpoint: str, entry: int) -> datetime | None:
    """Return when the newest file of an entry of the log had been changed; None for an entry without files."""
    # Spark puts every tenth entry into one file with all that came before it.
    log = spark.read.schema(_ENTRIES).json(f"{checkpoint}/sources/0/{{{entry},{entry}.compact}}")
    [newest_ms] = log.where(F.col("batchId") == entry).agg(F.max("timestamp")).collect()[0]
    # A file may have any time; one that Python cannot hold is as good as the last, or the first, that it can.
    return None if newest_ms is None else datetime.fromtimestamp(min(max(newest_ms, 0), LAST_MS) / 1000, timezone.utc)


def lost_files(spark: SparkSession, checkpoint: str, batch_id: int, known: Collection[str]) -> list[str]:
    """Return the files that a micro-batch was planned to read, and that were moved or deleted before it did so.

    Spark passes over them without a word. Only files that brought no record are looked for; those that are there are
    empty.

    Args:
        spark: the session.
        checkpoint: of the stream.
        batch_id: the micro-batch.
        known: paths of files whose fate is known, because they brought records or cannot be read.

    Returns:
        Their paths, as Spark's column ``_metadata.file_path`` names them.
    """
    fates = {plain_uri(path) for path in known}
    silent = [path for path in planned_files(spark, checkpoint, batch_id) if plain_uri(path) not in fates]
    # The log writes local paths as file:///, the metadata of a file as file:/.
    return [path.replace("file:///", "file:/", 1) for path in silent if not path_exists(spark, unquote(path))]


def planned_files(spark: SparkSession, checkpoint: str, batch_id: int) -> list[str]:
    """Return the paths of the files that a micro-batch was planned to read, as the log writes them.

    None are known where the checkpoint has forgotten the plan, or the one before.
    """
    before, plan = (read_plan(spark, checkpoint, batch) for batch in (batch_id - 1, batch_id))
    if not plan or (not before and batch_id > 0):
        return []
    first, last = file_entry(before.end) if before else -1, file_entry(plan.end)
    # A run that has ended before it planned a micro-batch leaves an entry that the next one takes as well.
    return [path for entry in range(first + 1, last + 1) for path in _paths_of(spark, checkpoint, entry)]


def _paths_of(spark: SparkSession, checkpoint: str, entry: int) -> list[str]:
    """Return the files of an entry of the log; one that stands alone costs no Spark job."""
    plain = read_text(spark, f"{checkpoint}/sources/0/{entry}")
    if plain is not None:
        _, *lines = plain.split("\n")  # a version comes first
        return [json.loads(line)["path"] for line in lines if line]
    mine = _entries(spark, f"{checkpoint}/sources/0").where(F.col("batchId") == entry)
    return [row.path for row in mine.select("path").distinct().collect()]


def read_log(spark: SparkSession, checkpoint: str) -> DataFrame:
    """Read which files the stream took: ``source``, ``entry`` of the log, ``logged_ms``, when it had been changed."""
    log = f"{checkpoint}/sources/0"
    if not path_exists(spark, log):
        return spark.createDataFrame([], "source STRING, logged_ms BIGINT, entry BIGINT")
    columns = [plain_source(F.col("path")), F.col("timestamp"), F.col("batchId")]
    names = ["source", "logged_ms", "entry"]
    return _entries(spark, log).select(*[c.alias(name) for c, name in zip(columns, names, strict=True)]).distinct()


def _entries(spark: SparkSession, log: str) -> DataFrame:
    # The stream puts old entries together into one file while it runs, and then removes them.
    return spark.read.schema(_ENTRIES).option("ignoreMissingFiles", "true").json(log).where("path IS NOT NULL")


def list_landed(spark: SparkSession, folder: str) -> DataFrame:
    """List the files that have a name that is read: ``source``, ``bytes``, ``changed_ms``; empty ones do not appear."""
    return list_files(spark, folder).select(
        plain_source(F.col("source")).alias("source"), "bytes", F.unix_millis("changed_at").alias("changed_ms")
    )


def list_files(spark: SparkSession, folder: str) -> DataFrame:
    """List the same files: ``source`` as Spark writes it, ``bytes``, ``changed_at TIMESTAMP``."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true").option("pathGlobFilter", FILE_NAMES)
    return reader.load(folder).select(
        F.col("_metadata.file_path").alias("source"), F.col("_metadata.file_size").alias("bytes"),
        F.col("_metadata.file_modification_time").alias("changed_at"),
    )  # fmt: skip
