"""The identity of a source: what a checkpoint has read belongs to who the stream is.

The log of a landing folder knows a file by the path under which it was found: the same folder under another name is
full of new files, and every click would be scored a second time. So the first start writes down what the stream reads,
and a folder that is the same place by another name is read under the first one for good. Of a table, that is its id; of
topics the kind alone, as their ids are watched by ``gap_detection``.
"""

import json
import os
import shlex
from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.source import DeltaSource, FolderSource, Source
from clickscore.console import counted
from clickscore.errors import CheckpointError, StreamError
from clickscore.sources.file_log import list_landed, read_log
from clickscore.storage import offset_log, places
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.fence import Fence
from clickscore.storage.files import path_exists, plain_uri
from clickscore.storage.offset_log import OFFSETS
from clickscore.storage.places import local_path
from clickscore.storage.stream_id import ensure_lasting, read_lasting
from clickscore.storage.table import Table

FOLDER = "clickscore-source"
"""Folder of the checkpoint with the identity of the source."""

ANEW = "To read another source, name a new checkpoint, and new tables under output."


class Identity(NamedTuple):
    """What a stream reads.

    Attributes:
        kind: of the source.
        name: the folder as Spark writes it, or the id of the table; empty where the checkpoint does not say.
    """

    kind: str
    name: str = ""


def settle(spark: SparkSession, source: Source, checkpoint: Checkpoint) -> Source:
    """Return the source, a folder by the name under which the stream has always read it.

    A checkpoint of an earlier version of clickscore has no identity; Spark's logs tell what it has read.

    Raises:
        CheckpointError: if the checkpoint has read another source.
    """
    known = _read(spark, checkpoint.path) or _of_offsets(spark, checkpoint)
    if known and known.kind != source.kind:
        raise CheckpointError(
            f"source.kind: the checkpoint {checkpoint.path} has read a source of kind {known.kind}, the configuration "
            f"names one of kind {source.kind}. Put the old source back. {ANEW}"
        )
    if isinstance(source, FolderSource):
        folder = _settle_folder(spark, source.path, checkpoint.path, known.name if known else "")
        return source.model_copy(update={"path": folder})
    if isinstance(source, DeltaSource) and known and known.name != (found := _table_id(spark, source)):
        raise CheckpointError(
            f"source.table: the checkpoint {checkpoint.path} has read the Delta table with the id {known.name}, "
            f"{source.table} has the id {found}: it is another table, or was recreated. Put the old one back. {ANEW}"
        )
    return source


def remember(spark: SparkSession, source: Source, checkpoint: str, fence: Fence) -> None:
    """Write the identity of a source, as ``settle`` has returned it, into a checkpoint that has none.

    Raises:
        StreamError: if another run begins on the same checkpoint at the same moment.
    """
    name = ""
    if isinstance(source, FolderSource):
        name = places.qualified(spark, source.path)
    elif isinstance(source, DeltaSource):
        name = _table_id(spark, source)
    mine = json.dumps(Identity(source.kind, name)._asdict())
    if (chosen := ensure_lasting(spark, checkpoint, FOLDER, fence, mine)) != mine:
        raise StreamError(
            f"two runs with two sources began at the same moment on the checkpoint {checkpoint}: {chosen} is what it "
            f"reads now, this run has {mine}. Start one of them again, and give the other one a checkpoint of its own."
        )


def _read(spark: SparkSession, checkpoint: str) -> Identity | None:
    text = read_lasting(spark, checkpoint, FOLDER)
    try:
        return Identity(**json.loads(text)) if text else None
    except (ValueError, TypeError):
        raise CheckpointError(
            f"{checkpoint}/{FOLDER} does not name the source of the stream, it says {text!r}: the checkpoint is "
            f"damaged. Restore the folder, or delete it: then Spark's logs tell what was read."
        ) from None


def _of_offsets(spark: SparkSession, checkpoint: Checkpoint) -> Identity | None:
    planned = checkpoint.last_planned
    # A damaged entry is told by ``check_logs``.
    if planned < 0 or not offset_log.is_whole(spark, checkpoint.path, OFFSETS, planned):
        return None
    plan = offset_log.read_plan(spark, checkpoint.path, planned)
    return Identity(*offset_log.source_of(plan.end)) if plan else None


def _table_id(spark: SparkSession, source: DeltaSource) -> str:
    return str(Table(source.table).delta(spark).detail().select("id").collect()[0][0])


def _settle_folder(spark: SparkSession, path: str, checkpoint: str, known: str) -> str:
    """Return the name of the folder by which the stream reads it."""
    here = places.qualified(spark, path)
    if known:
        if places.is_same(known, here):
            return known
        raise _another_folder(spark, checkpoint, known, here)
    log = read_log(spark, checkpoint)
    if not (first := log.select("source").head()):
        return places.real(spark, path)
    folder = _first_name(spark, first.source, here)
    below = _below(spark, folder)
    if stray := log.where(~F.col("source").startswith(below)).select("source").head():
        raise _another_folder(spark, checkpoint, unquote(stray.source), here)
    return folder


def _below(spark: SparkSession, place: str) -> str:
    """Return how the log writes the beginning of the path of every file in a folder."""
    return plain_uri(places.encoded(spark, place)).rstrip("/") + "/"


def _first_name(spark: SparkSession, file: str, here: str) -> str:
    """Return the name by which a folder was read, of which a file is in the log; its present one if there is none."""
    if local_path(here) is None or file.startswith(_below(spark, here)):
        return here
    above = [f"file:{folder}" for folder in PurePosixPath(unquote(file)).parents]
    return next((place for place in above if places.is_same(place, here)), here)


def _count_found(spark: SparkSession, checkpoint: str, known: str, here: str) -> tuple[int, int]:
    """Return how many files of a folder were read, and how many of them another one has: by name and time of change.

    Spark's log of a folder knows no sizes.
    """

    def named(files: DataFrame, place: str, changed: str) -> DataFrame:
        below, source = _below(spark, place), F.col("source")
        name = source.substr(F.lit(len(below) + 1), F.length(source))
        return files.where(source.startswith(below)).select(name.alias("name"), F.col(changed).alias("changed_ms"))

    read = named(read_log(spark, checkpoint), known, "logged_ms")
    found = read.limit(0)
    if path_exists(spark, here):
        found = read.join(named(list_landed(spark, here), here, "changed_ms"), ["name", "changed_ms"], "left_semi")
    return read.count(), found.count()


def _another_folder(spark: SparkSession, checkpoint: str, known: str, here: str) -> CheckpointError:
    was, now, link = local_path(known), local_path(here), ""
    if was and now and not os.path.lexists(was):
        read, there = _count_found(spark, checkpoint, known, here)
        link = (
            f" Of {counted(read, 'file that was', 'files that were')} read, {counted(there, 'is', 'are')} in {here}, "
            f"as old as then. If the folder was moved with its files, leave "
            f"a link where it was (ln -s {shlex.quote(now)} {shlex.quote(was)})."
        )
    return CheckpointError(
        f"source.path: the checkpoint {checkpoint} has read {known}, the configuration names {here}, which is another "
        f"folder, or the same one under a name that nothing connects with the first: all files in it would be read as "
        f"new ones, and clicks would be scored twice. Put the old path back.{link} {ANEW}"
    )
