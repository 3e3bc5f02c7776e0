"""A Delta table as a source: each row that is appended is a record, whole or in one column."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.source import DeltaSource
from clickscore.errors import SourceError
from clickscore.sources.records import without_offsets
from clickscore.spark_errors import is_missing_path
from clickscore.storage.offset_log import table_position
from clickscore.storage.schemas import MICROSECOND_FORMAT, quoted
from clickscore.storage.table import Table


def check(spark: SparkSession, source: DeltaSource) -> None:
    """Make sure that the table is there, and has the column of the configuration.

    Raises:
        SourceError: if not.
    """
    table = Table(source.table)
    if not table.exists(spark):
        raise SourceError(f"source.table: no such Delta table: {source.table}. Create it, or correct the name.")
    columns = table.read(spark).columns
    if source.column and source.column not in columns:
        raise SourceError(f"source.column: {source.table} has no column {source.column}; it has {', '.join(columns)}.")


def warnings(*_: object) -> list[str]:
    """Return nothing: a table has nothing to warn about."""
    return []


def read_stream(spark: SparkSession, source: DeltaSource, *_: object) -> DataFrame:
    """Start reading; columns as in ``schemas.raw``."""
    reader = (
        spark.readStream.format("delta")
        .option("maxBytesPerTrigger", source.max_bytes)
        .option("skipChangeCommits", source.changes == "skip")
    )
    table = Table(source.table)
    rows = reader.load(source.table) if table.is_path else reader.table(table.sql_name)
    as_json = F.to_json(F.struct("*"), {"timestampFormat": MICROSECOND_FORMAT})
    record = F.col(quoted(source.column)) if source.column else as_json
    # A Delta stream has no _metadata column, so there is a data file to name, but no position in it.
    return without_offsets(rows, record, F.input_file_name())


def watch_gaps(*_: object) -> None:
    """Return nothing: Delta itself ends a stream whose commits are gone."""


def files_ahead(*_: object) -> None:
    """Return nothing: to count them, the log of the table would have to be read."""


def reported_ends(*_: object) -> None:
    """Return nothing: Delta does not report where the table ended when a trigger began."""


def unread_since(spark: SparkSession, source: DeltaSource, _checkpoint: str, end: Mapping[str, Any]) -> datetime | None:
    """Return when the commit was written that the stream reads next; now, if it is not there yet.

    While the first snapshot of the table is read, that is unknown.
    """
    position = table_position(end)
    if position.is_snapshot:
        return None
    table, asked = Table(source.table), datetime.now(timezone.utc)
    folder = table.location if table.is_path else table.folder(spark)
    try:
        commit = spark.read.format("binaryFile").load(f"{folder}/_delta_log/{position.version:020}.json")
    except AnalysisException as error:
        if is_missing_path(error):
            return asked
        raise
    written = commit.select(F.unix_micros("modificationTime")).head()
    return datetime.fromtimestamp(written[0] / 1_000_000, timezone.utc) if written else None
