"""The checkpoint: who the stream is and how far it came, as Spark's own logs tell."""

import json
from dataclasses import dataclass

from pyspark.sql import SparkSession

from clickscore.errors import CheckpointError
from clickscore.files import file_names, path_exists
from clickscore.tables import STREAM_PROPERTY, Table


@dataclass(frozen=True)
class Checkpoint:
    """State of a checkpoint at the start of a run.

    Attributes:
        path: where it is.
        stream: id of the stream that it belongs to; None before the first start.
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
    metadata = f"{path}/metadata"
    stream = None
    if path_exists(spark, metadata):
        row = spark.read.text(metadata, wholetext=True).first()
        try:
            stream = json.loads(row[0] if row else "")["id"]
        except (ValueError, KeyError, TypeError):
            raise CheckpointError(
                f"{metadata} does not name the stream: the checkpoint is damaged. Restore it, or begin anew with a new "
                f"checkpoint and new tables."
            ) from None
    planned, done = (_last_batch(spark, f"{path}/{log}") for log in ("offsets", "commits"))
    return Checkpoint(path, stream, planned, done)


def _last_batch(spark: SparkSession, log: str) -> int:
    return max((int(name) for name in file_names(spark, log) if name.isdecimal()), default=-1)


def check_state(spark: SparkSession, checkpoint: Checkpoint, deduplicates: bool) -> None:
    """Make sure that a stream which began with, or without, the memory of ids goes on like that.

    Raises:
        CheckpointError: if not.
    """
    if checkpoint.last_done < 0 or path_exists(spark, f"{checkpoint.path}/state") == deduplicates:
        return
    raise CheckpointError(
        f"deduplicate {'is' if deduplicates else 'is not'} in the configuration, but the checkpoint {checkpoint.path} "
        f"began {'without' if deduplicates else 'with'} it, and Spark cannot change that later. "
        f"{'Take deduplicate out again' if deduplicates else 'Put deduplicate back'}, or begin anew with a new "
        f"checkpoint and release the tables."
    )


def check_belongs(spark: SparkSession, checkpoint: Checkpoint, table: Table) -> None:
    """Make sure that going on from the checkpoint neither loses clicks of the table nor writes them twice.

    Raises:
        CheckpointError: if the table is bound to another checkpoint, is ahead of this one, or is gone.
    """
    if not table.exists(spark):
        if checkpoint.last_done >= 0:
            raise CheckpointError(
                f"{table.name} does not exist, but the checkpoint {checkpoint.path} says that its clicks up to "
                f"batch {checkpoint.last_done} are in it. Restore the table, or begin anew with a new checkpoint."
            )
        return
    bound = table.stream(spark)
    if bound is None:
        return
    if bound != checkpoint.stream:
        found = f"belongs to stream {checkpoint.stream}" if checkpoint.stream else "is new"
        raise CheckpointError(
            f"{table.name} is written by stream {bound}, but the checkpoint {checkpoint.path} {found}: clicks that "
            f"are in the table already would be written again. Use the stream's own checkpoint, or name new tables "
            f"under output; the model timeline stands beside the scored clicks. If you want this checkpoint to go on "
            f"with the table all the same, release it with\n"
            f"  ALTER TABLE {table.sql_name} UNSET TBLPROPERTIES ('{STREAM_PROPERTY}')"
        )
    last = table.last_batch(spark, bound)
    if last > checkpoint.last_planned:
        raise CheckpointError(
            f"{table.name} holds batch {last}, but the checkpoint {checkpoint.path} only came to batch "
            f"{checkpoint.last_planned}: it is an older copy, and the clicks since then would be skipped. "
            f"Restore the newest checkpoint."
        )
