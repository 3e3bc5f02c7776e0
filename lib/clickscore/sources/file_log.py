"""The files of a landing folder: those that are there, and those that the stream has logged as taken."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.storage.files import path_exists, plain_source

FILE_NAMES = "*.{json,jsonl,ndjson,json.gz,jsonl.gz,ndjson.gz}"
"""Files of a landing folder that are read. Spark passes over names that begin with a dot or an underscore, and these
endings pass over ``.tmp``, ``.part`` and the like: a file counts once it has been renamed to its final name."""


def read_log(spark: SparkSession, checkpoint: str) -> DataFrame:
    """Read which files the stream took: ``source``, ``entry`` of the log, ``logged_ms``, when it had been changed."""
    log = f"{checkpoint}/sources/0"
    schema = "path STRING, timestamp BIGINT, batchId BIGINT"
    if not path_exists(spark, log):
        return spark.createDataFrame([], "source STRING, logged_ms BIGINT, entry BIGINT")
    # The stream puts old entries together into one file while it runs, and then removes them.
    entries = spark.read.schema(schema).option("ignoreMissingFiles", "true").json(log).where("path IS NOT NULL")
    columns = [plain_source(F.col("path")), F.col("timestamp"), F.col("batchId")]
    names = ["source", "logged_ms", "entry"]
    return entries.select(*[c.alias(name) for c, name in zip(columns, names, strict=True)]).distinct()


def list_landed(spark: SparkSession, folder: str) -> DataFrame:
    """List the files that have a name that is read: ``source``, ``bytes``, ``changed_ms``; empty ones do not appear."""
    reader = spark.read.format("binaryFile").option("recursiveFileLookup", "true").option("pathGlobFilter", FILE_NAMES)
    return reader.load(folder).select(
        plain_source(F.col("_metadata.file_path")).alias("source"), F.col("_metadata.file_size").alias("bytes"),
        F.unix_millis("_metadata.file_modification_time").alias("changed_ms"),
    )  # fmt: skip
