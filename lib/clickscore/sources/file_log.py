"""The files of a landing folder: those that exist, and those that the stream has logged as read."""

from datetime import datetime, timezone

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.storage.files import path_exists, plain_source

FILE_NAMES = "*.{json,jsonl,ndjson,json.gz,jsonl.gz,ndjson.gz}"
"""Files of a landing folder that are read. Spark passes over names that begin with a dot or an underscore, and these
endings pass over ``.tmp``, ``.part`` and the like: a file counts once it has been renamed to its final name."""

_ENTRIES = "path STRING, timestamp BIGINT, batchId BIGINT"


def newest_taken(spark: SparkSession, checkpoint: str, entry: int) -> datetime | None:
    """Return when the newest file of an entry of the log had been changed; None for an entry without files."""
    # Spark puts every tenth entry into one file with all that came before it.
    log = spark.read.schema(_ENTRIES).json(f"{checkpoint}/sources/0/{{{entry},{entry}.compact}}")
    [newest_ms] = log.where(F.col("batchId") == entry).agg(F.max("timestamp")).collect()[0]
    return None if newest_ms is None else datetime.fromtimestamp(newest_ms / 1000, timezone.utc)


def read_log(spark: SparkSession, checkpoint: str) -> DataFrame:
    """Read which files the stream took: ``source``, ``entry`` of the log, ``logged_ms``, when it had been changed."""
    log = f"{checkpoint}/sources/0"
    if not path_exists(spark, log):
        return spark.createDataFrame([], "source STRING, logged_ms BIGINT, entry BIGINT")
    # The stream puts old entries together into one file while it runs, and then removes them.
    entries = spark.read.schema(_ENTRIES).option("ignoreMissingFiles", "true").json(log).where("path IS NOT NULL")
    columns = [plain_source(F.col("path")), F.col("timestamp"), F.col("batchId")]
    names = ["source", "logged_ms", "entry"]
    return entries.select(*[c.alias(name) for c, name in zip(columns, names, strict=True)]).distinct()


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
