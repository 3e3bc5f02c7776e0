"""Where clicks come from; every source yields the same raw records, those of ``schemas.raw``."""

from collections.abc import Collection

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.readwriter import DataStreamReader

from clickscore.config.source import DeltaSource, FolderSource, KafkaSource, Source
from clickscore.errors import SourceError
from clickscore.sources.file_log import FILE_NAMES
from clickscore.sources.kafka import read_topics
from clickscore.sources.kafka_admin import read_topic_state
from clickscore.storage.files import path_exists
from clickscore.storage.schemas import MICROSECOND_FORMAT, SOURCE_TIME
from clickscore.storage.table import Table

FOREVER = "36500d"
"""Age below which files are remembered, and above which Spark would silently skip them: effectively no limit."""

FILE_PATH = "_metadata.file_path"


def check_source(spark: SparkSession, source: Source) -> None:
    """Make sure that the source is there, and has the topics or the column of the configuration.

    Raises:
        SourceError: if not.
    """
    if isinstance(source, FolderSource):
        if not path_exists(spark, source.path):
            raise SourceError(f"source.path: no such folder: {source.path}. Create it, or correct the path.")
        return
    if isinstance(source, KafkaSource):
        read_topic_state(spark, source)
        return
    table = Table(source.table)
    if not table.exists(spark):
        raise SourceError(f"source.table: no such Delta table: {source.table}. Create it, or correct the name.")
    columns = table.read(spark).columns
    if source.column and source.column not in columns:
        raise SourceError(f"source.column: {source.table} has no column {source.column}; it has {', '.join(columns)}.")


def read_stream(
    spark: SparkSession, source: Source, unreadable: Collection[str] = (), accept_loss: bool = False
) -> DataFrame:
    """Start reading; columns as in ``schemas.raw``.

    Args:
        spark: the session.
        source: what to read.
        unreadable: paths of files to pass over, as Spark names them.
        accept_loss: pass over records of a topic that are gone before they were read.
    """
    if isinstance(source, KafkaSource):
        return read_topics(spark, source, accept_loss)
    reader = spark.readStream.option("maxBytesPerTrigger", source.max_bytes)
    if isinstance(source, DeltaSource):
        return _read_table(reader, source)
    lines = (
        reader.format("text")
        .option("lineSep", "\n")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", FILE_NAMES)
        .option("maxFileAge", FOREVER)
        .load(source.path)
    )
    return _lines(lines.where(~F.col(FILE_PATH).isin(*unreadable)) if unreadable else lines)


def read_batch(spark: SparkSession, folder: str) -> DataFrame:
    """Read all files of a folder once; columns as in ``schemas.raw``."""
    reader = spark.read.format("text").option("lineSep", "\n").option("recursiveFileLookup", "true")
    return _lines(reader.option("pathGlobFilter", FILE_NAMES).load(folder))


def _read_table(reader: DataStreamReader, source: DeltaSource) -> DataFrame:
    reader = reader.format("delta").option("skipChangeCommits", source.changes == "skip")
    table = Table(source.table)
    rows = reader.load(source.table) if table.is_path else reader.table(table.sql_name)
    record = (
        F.col(source.column) if source.column else F.to_json(F.struct("*"), {"timestampFormat": MICROSECOND_FORMAT})
    )
    # A Delta stream has no _metadata column, so there is a data file to name, but no position in it.
    return _select(rows, record, F.input_file_name())


def _lines(lines: DataFrame) -> DataFrame:
    # Lines have no offset: Spark splits large files, and then nobody knows the number of a line.
    return _select(lines, F.col("value"), F.col(FILE_PATH))


def _select(rows: DataFrame, record: Column, source: Column) -> DataFrame:
    no_offset, no_time = F.lit(None).cast("bigint"), F.lit(None).cast("timestamp")
    return rows.select(
        record.cast("binary").alias("value"),
        source.alias("source"),
        no_offset.alias("source_offset"),
        no_time.alias(SOURCE_TIME.name),
    )
