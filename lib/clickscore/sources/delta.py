"""A Delta table as a source: each row that is appended is a record, whole or in one column."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.config.fields import nearest
from clickscore.config.source import DeltaSource
from clickscore.errors import SourceError, TableError
from clickscore.sources.records import BatchInput, BatchPlan, FieldOrigin, without_offsets
from clickscore.spark_errors import is_missing_path
from clickscore.storage.offset_log import read_plan, table_position
from clickscore.storage.protocol import check_readable
from clickscore.storage.schemas import MICROSECOND_FORMAT, quoted
from clickscore.storage.table import Table


def check(spark: SparkSession, source: DeltaSource) -> None:
    """Make sure that the table is there and can be read, and has the column of the configuration.

    Raises:
        SourceError: if not.
    """
    table = Table(source.table)
    try:
        check_readable(spark, table)
    except TableError as error:
        raise SourceError(f"source.table: {error}") from None
    if not table.exists(spark):
        raise SourceError(f"source.table: no such Delta table: {source.table}. Create it, or correct the name.")
    if not source.column:
        return
    fields = {field.name: field for field in table.read(spark).schema}
    if source.column not in fields:
        near = nearest(source.column, fields)
        raise SourceError(
            f"source.column: {source.table} has no column {source.column}{near}; it has {', '.join(fields)}."
        )
    found = fields[source.column].dataType
    if source.value.format != "json" and not isinstance(found, T.BinaryType):
        raise SourceError(
            f"source.column: expected a BINARY column for source.value.format {source.value.format}, found "
            f"{source.column} of {source.table}, which is {found.simpleString()}. Name another column."
        )
    if not isinstance(found, T.StringType | T.BinaryType | T.StructType | T.VariantType):
        raise SourceError(
            f"source.column: {source.column} of {source.table} is {found.simpleString()}; expected a STRING or BINARY "
            f"that holds a JSON object, a STRUCT or a VARIANT. Name another column, or leave source.column out if the "
            f"columns of the table are the fields of a click."
        )


def check_fields(spark: SparkSession, source: DeltaSource, fields: Sequence[FieldOrigin]) -> None:
    """Make sure that the table's own columns, where they are the record, have the names that the fields are read from.

    A field that may be null may be missing, but not be there in another spelling: it would be null in every click.

    Raises:
        SourceError: with all names that differ.
    """
    table = Table(source.table)
    if source.column or not table.exists(spark):
        return
    columns = table.read(spark).columns
    others = {column.lower(): column for column in columns}
    problems = []
    for field in fields:
        absent = [part for part in field.parts if part not in columns]
        misspelt = [part for part in absent if others.get(part.lower(), part) not in field.parts]
        problems += [f"{part} is there as {others[part.lower()]}" for part in misspelt]
        is_there = not absent or (len(absent) < len(field.parts) and not field.needs_all)
        if field.is_required and not misspelt and not is_there:
            word = " and " if field.needs_all else " or "
            problems.append(f"{word.join(absent)} is missing{nearest(absent[0], columns)}")
    if problems:
        raise SourceError(
            f"source.table: the columns of {source.table} are not the fields of a click: {'; '.join(problems)}. It has "
            f"{', '.join(columns)}. Write the names in click.schema as in the table, say in click.from which column a "
            f"field is, read from a table that has the names of click.schema, or name the one column with the clicks "
            f"in source.column."
        )


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
    record = as_record(rows.schema, source.column)
    # A Delta stream has no _metadata column, so there is a data file to name, but no position in it.
    return without_offsets(rows, record, F.input_file_name())


def as_record(rows: T.StructType, column: str | None) -> Column:
    """Return the record of a row, as text or as bytes: what a column holds, or the row, as JSON.

    Args:
        rows: the columns of the table.
        column: the one that holds the record; None if all of them do.
    """
    whole = F.col(quoted(column)) if column else F.struct("*")
    if column and isinstance(rows[column].dataType, T.StringType | T.BinaryType):
        return whole
    return F.to_json(whole, {"timestampFormat": MICROSECOND_FORMAT})


def watch_gaps(*_: object) -> None:
    """Return nothing: Delta itself ends a stream whose commits are gone."""


def files_ahead(*_: object) -> None:
    """Return nothing: to count them, the log of the table would have to be read."""


def read_again(*_: object) -> None:
    """Return nothing: its rows have no time of their own."""


def lost_files(*_: object) -> list[str]:
    """Return nothing: a stream ends where a data file of its table is gone."""
    return []


def plan_of(spark: SparkSession, source: DeltaSource, checkpoint: str, batch_id: int) -> BatchPlan:
    """Return up to which version of the table a micro-batch was planned to read."""
    plan = read_plan(spark, checkpoint, batch_id)
    upto = f" up to version {table_position(plan.end).version}" if plan else ""
    return BatchPlan(
        f"rows of {source.table}{upto}",
        "write the rows that it can go on with into a new table, and start over with that one",
    )


def inputs_of(spark: SparkSession, source: DeltaSource, checkpoint: str, batch_id: int) -> list[BatchInput]:
    """Return the version of the table up to which a micro-batch was planned to read."""
    plan = read_plan(spark, checkpoint, batch_id)
    read = {"upToVersion": table_position(plan.end).version} if plan else {}
    return [BatchInput(Table(source.table).folder(spark), read)]


def has_taken(*_: object) -> bool:
    """Return false: no stream can do without a data file of its table."""
    return False


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
