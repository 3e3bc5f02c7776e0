"""The checkpoint: the id of the stream, and how far it has come according to Spark's own logs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.errors import CheckpointError, TableError
from clickscore.storage import offset_log
from clickscore.storage.files import path_exists
from clickscore.storage.offset_log import COMMITS, LINES, OFFSETS
from clickscore.storage.protocol import check_readable
from clickscore.storage.stream_id import read_stream_id
from clickscore.storage.table import STREAM_PROPERTY, Table
from clickscore.storage.transactions import last_batch

_MOMENTS = ("scored_at", "received_at")
"""Columns with the time at which a row of an output table was written; a click may have a field of the second name."""


@dataclass(frozen=True)
class Checkpoint:
    """State of a checkpoint at the start of a run.

    Attributes:
        path: where it is.
        stream: id of the stream that it belongs to, its own or, where an earlier version of clickscore has made it,
            that of Spark's query; None before the first start.
        last_planned: last micro-batch in the offset log, -1 without one.
        last_done: last micro-batch in the commit log, -1 without one.
    """

    path: str
    stream: str | None
    last_planned: int
    last_done: int


def read_checkpoint(spark: SparkSession, path: str) -> Checkpoint:
    """Read the state of a checkpoint; one that does not exist yet is new.

    Raises:
        CheckpointError: if it is damaged.
    """
    planned, done = (offset_log.last_entry(spark, path, log) for log in (OFFSETS, COMMITS))
    stream = read_stream_id(spark, path) or offset_log.read_query_id(spark, path)
    return Checkpoint(path, stream, planned, done)


def check_bound(spark: SparkSession, table: Table, checkpoint: Checkpoint) -> None:
    """Make sure that a table can be read, and is one that the stream of a checkpoint writes.

    Raises:
        TableError: if there is no such table, or this version of Delta cannot read it.
        CheckpointError: if another stream writes it.
    """
    check_readable(spark, table)
    if not table.exists(spark):
        raise TableError(f"{table.name} does not exist. Correct its name under output, or restore it.")
    if (bound := table.stream(spark)) != checkpoint.stream:
        raise CheckpointError(
            f"{table.name} is written by stream {bound}, but the checkpoint {checkpoint.path} belongs to stream "
            f"{checkpoint.stream}: they do not belong together. Name the stream's own checkpoint and tables."
        )


def written_upto(spark: SparkSession, checkpoint: Checkpoint, table: Table, moment: str, stream: str) -> int:
    """Return the last micro-batch of a stream that is in a table which the stream alone writes.

    Args:
        spark: the session.
        checkpoint: where the stream resumes.
        table: holds all of a micro-batch, or nothing of it.
        moment: column with the time at which a row was written.
        stream: id of the stream.
    """
    if checkpoint.last_planned == checkpoint.last_done:
        return checkpoint.last_done
    last = last_batch(spark, table, stream)
    if last >= 0:
        return last
    # Its rows may be there all the same: the commits were cleaned away, or the table is a copy of the one that it has
    # written.
    rows = _written_since(spark, checkpoint, table, checkpoint.last_planned, moment)
    is_there = not rows.where(F.col("batch_id") == checkpoint.last_planned).isEmpty()
    return checkpoint.last_planned if is_there else checkpoint.last_done


def _written_since(spark: SparkSession, checkpoint: Checkpoint, table: Table, batch_id: int, moment: str) -> DataFrame:
    """Return the rows that were written since a micro-batch was planned.

    Older ones may be those of another stream, from which the table was released, and have the same numbers.
    """
    plan = offset_log.read_plan(spark, checkpoint.path, batch_id)
    rows = table.read(spark)
    if plan is None:
        return rows.limit(0)
    return rows.where(F.col(moment) >= datetime.fromtimestamp(plan.planned_ms / 1000, timezone.utc))


def _newest_batch(spark: SparkSession, checkpoint: Checkpoint, table: Table, stream: str) -> int:
    """Return the last micro-batch of a stream in a table, or -1: by its history or, where that is trimmed, its rows."""
    last = last_batch(spark, table, stream)
    done = checkpoint.last_done
    if last >= 0 or done < 0 or not offset_log.is_whole(spark, checkpoint.path, OFFSETS, done):
        return last
    columns = table.columns(spark)
    moment = next((name for name in _MOMENTS if name in columns), None)
    if moment is None:
        return last
    rows = _written_since(spark, checkpoint, table, done, moment)
    [[newest]] = rows.agg(F.max("batch_id")).collect()
    return last if newest is None else int(newest)


def check_state(spark: SparkSession, checkpoint: Checkpoint, deduplicates: bool) -> None:
    """Make sure that a stream which began with, or without, the memory of ids goes on like that.

    Raises:
        CheckpointError: if not.
    """
    # A stream that has not finished a micro-batch may begin to look for duplicates, but not leave its memory behind.
    is_free = deduplicates and checkpoint.last_done < 0
    if is_free or path_exists(spark, f"{checkpoint.path}/state") == deduplicates:
        return
    raise CheckpointError(
        f"deduplicate {'is' if deduplicates else 'is not'} in the configuration, but the checkpoint {checkpoint.path} "
        f"began {'without' if deduplicates else 'with'} it, and Spark cannot change that later. "
        f"{'Remove deduplicate' if deduplicates else 'Restore deduplicate'}, or start over with a new "
        f"checkpoint and new tables."
    )


def check_logs(spark: SparkSession, checkpoint: Checkpoint, tables: Iterable[Table]) -> None:
    """Make sure that the newest entries of the logs are whole: a power cut may leave a file without its content.

    Raises:
        CheckpointError: if one is damaged; says whether it can be done without.
    """
    planned, done = checkpoint.last_planned, checkpoint.last_done
    if planned >= 0 and not offset_log.is_whole(spark, checkpoint.path, OFFSETS, planned):
        holders = [table.name for table in tables if _holds(spark, checkpoint, table, planned)]
        if planned <= done or holders:
            where = f", and its clicks are in {' and '.join(holders)}" if holders else ""
            remedy = (
                f"Only this file says which records micro-batch {planned} was made of{where}: restore it from a copy, "
                f"or start over with a new checkpoint and new tables."
            )
        else:
            remedy = f"No table holds anything of micro-batch {planned}: delete the file, and it is planned again."
        raise CheckpointError(
            f"{checkpoint.path}/offsets/{planned} is damaged: expected at least {LINES[OFFSETS]} lines of JSON below a "
            f"version, found a file that ends before. {remedy}"
        )
    if done >= 0 and not offset_log.is_whole(spark, checkpoint.path, COMMITS, done):
        raise CheckpointError(
            f"{checkpoint.path}/commits/{done} is damaged: expected JSON below a version, found a file that ends "
            f"before. Delete it: micro-batch {done} is checked again, and what is in the tables is not written twice."
        )


def _holds(spark: SparkSession, checkpoint: Checkpoint, table: Table, batch_id: int) -> bool:
    stream = table.stream(spark) if table.exists(spark) else None
    return stream is not None and _newest_batch(spark, checkpoint, table, stream) >= batch_id


def check_belongs(spark: SparkSession, checkpoint: Checkpoint, table: Table, properties: Mapping[str, str]) -> None:
    """Make sure that going on from the checkpoint neither loses clicks of the table nor writes them twice.

    Args:
        spark: the session.
        checkpoint: where the stream resumes.
        table: the table.
        properties: of the table; none if it does not exist.

    Raises:
        CheckpointError: if the table is bound to another checkpoint, is ahead of this one, or is gone.
    """
    if not properties:
        if checkpoint.last_done >= 0:
            raise CheckpointError(
                f"{table.name} does not exist, but the checkpoint {checkpoint.path} says that its clicks up to "
                f"batch {checkpoint.last_done} are in it. Restore the table, or start over with a new checkpoint."
            )
        return
    bound = properties.get(STREAM_PROPERTY)
    if bound is None:
        return
    if bound != checkpoint.stream:
        found = f"belongs to stream {checkpoint.stream}" if checkpoint.stream else "is new"
        raise CheckpointError(
            f"{table.name} is written by stream {bound}, but the checkpoint {checkpoint.path} {found}: clicks that "
            f"are in the table already would be written again. Use the stream's own checkpoint, or name new tables "
            f"under output; the model timeline is next to the scored clicks. To continue with this checkpoint "
            f"and this table all the same, release the table with\n"
            f"  ALTER TABLE {table.sql_name} UNSET TBLPROPERTIES ('{STREAM_PROPERTY}')"
        )
    last = _newest_batch(spark, checkpoint, table, bound)
    if last > checkpoint.last_planned:
        raise CheckpointError(
            f"{table.name} holds batch {last}, but the checkpoint {checkpoint.path} only reached batch "
            f"{checkpoint.last_planned}: it is an older copy, and the clicks since then would be skipped. "
            f"Restore the newest checkpoint."
        )
