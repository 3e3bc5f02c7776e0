"""The logs in a checkpoint, which Spark writes and only this module reads: what micro-batches were planned to read.

A checkpoint holds ``metadata`` with the id of the query; ``offsets/N``, written before micro-batch N begins: when it
was planned, and where in the source it ends; ``commits/N``, written once it is done; and ``sources/0``, what the source
keeps for itself: Kafka where the stream began, a folder which files it took, see ``sources.file_log``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.errors import CheckpointError
from clickscore.spark_errors import SPARK_ERRORS, is_wrong_checksum
from clickscore.storage.files import file_names, read_text

OFFSETS, COMMITS = "offsets", "commits"
"""Folders of the two logs; each entry is a file with the number of its micro-batch as the name."""
LINES = {OFFSETS: 2, COMMITS: 1}
"""Lines of an entry below its version: settings and the offsets of our one source; what the query says of itself."""

Partition = tuple[str, int]
"""A topic and the number of a partition."""


@dataclass(frozen=True)
class Planned:
    """A micro-batch as it was planned.

    Attributes:
        planned_ms: when, in milliseconds since 1970.
        end: where it ends, as the source writes it; see ``partition_offsets``, ``file_entry`` and ``table_position``.
    """

    planned_ms: int
    end: Any


class TablePosition(NamedTuple):
    """How far a stream has read a Delta table.

    Attributes:
        version: the commit.
        file: the last data file of it that was read, counted from 0; negative if none was.
        is_snapshot: whether these are the files of the table as the stream first saw it, not those of a commit.
    """

    version: int
    file: int
    is_snapshot: bool


def read_query_id(spark: SparkSession, checkpoint: str) -> str | None:
    """Return the id that Spark gave to the query; None before its first start.

    Raises:
        CheckpointError: if the file with the id is damaged.
    """
    metadata = f"{checkpoint}/metadata"
    if (content := read_text(spark, metadata)) is None:
        return None
    try:
        return str(json.loads(content)["id"])
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(
            f"{metadata} does not name the stream: the checkpoint is damaged. Restore it, or start over with a new "
            f"checkpoint and new tables."
        ) from None


def last_entry(spark: SparkSession, checkpoint: str, log: str) -> int:
    """Return the last micro-batch in a log, -1 without one."""
    return max((int(name) for name in file_names(spark, f"{checkpoint}/{log}") if name.isdecimal()), default=-1)


def is_whole(spark: SparkSession, checkpoint: str, log: str, batch_id: int) -> bool:
    """Tell whether an entry of a log is there from its version to its last line of JSON, and matches its checksum."""
    try:
        entry = read_text(spark, f"{checkpoint}/{log}/{batch_id}")
    except SPARK_ERRORS as error:
        if is_wrong_checksum(error):
            return False
        raise
    version, *content = (entry or "").splitlines() or [""]
    return version.startswith("v") and len(content) >= LINES[log] and all(map(_is_json, content))


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def read_plans(spark: SparkSession, checkpoint: str) -> dict[int, Planned]:
    """Read the plans of the micro-batches that the checkpoint still remembers.

    Raises:
        CheckpointError: if one is damaged.
    """
    # The stream removes old entries while it runs.
    reader = spark.read.option("ignoreMissingFiles", "true")
    entries = reader.text(f"{checkpoint}/{OFFSETS}", wholetext=True).select("value", F.input_file_name())
    plans = {}
    for value, file in entries.collect():
        if (name := PurePosixPath(file).name).isdecimal() and (plan := _plan(value, file)):
            plans[int(name)] = plan
    return plans


def read_plan(spark: SparkSession, checkpoint: str, batch_id: int) -> Planned | None:
    """Read the plan of one micro-batch; None if the checkpoint does not remember it.

    Raises:
        CheckpointError: if it is damaged.
    """
    file = f"{checkpoint}/{OFFSETS}/{batch_id}"
    return _plan(read_text(spark, file) or "", file)


def planned_offsets(spark: SparkSession, checkpoint: str, batch_id: int) -> dict[Partition, int]:
    """Return where a micro-batch over Kafka was planned to end: the next offset of each partition.

    Before the first micro-batch that is where the stream began; empty if the logs do not say.

    Raises:
        CheckpointError: if they are damaged.
    """
    if batch_id >= 0:
        plan = read_plan(spark, checkpoint, batch_id)
        return partition_offsets(plan.end) if plan else {}
    file = f"{checkpoint}/sources/0/0"
    start = read_text(spark, file)
    try:
        return partition_offsets(json.loads(start.splitlines()[-1])) if start else {}
    except (ValueError, AttributeError, TypeError):
        raise _damaged(file) from None


def _plan(entry: str, file: str) -> Planned | None:
    """Return what an entry says; None if it is empty.

    Raises:
        CheckpointError: if it says something else.
    """
    # A version comes first, then metadata; the offsets of our only source are the last line.
    _, *lines = entry.splitlines() or [""]
    if not lines:
        return None
    try:
        planned_ms, end = json.loads(lines[0])["batchTimestampMs"], json.loads(lines[LINES[OFFSETS] - 1])
    except (ValueError, LookupError, TypeError):
        raise _damaged(file) from None
    return Planned(planned_ms, end)


def _damaged(file: str) -> CheckpointError:
    return CheckpointError(
        f"{file} is damaged: expected lines of JSON below a version, found something else. Restore it from a copy, or "
        f"start over with a new checkpoint and new tables."
    )


def source_of(end: Mapping[str, Any]) -> tuple[str, str]:
    """Return the kind of the source that has written the end of a micro-batch, and the id of the table if it is one."""
    if "logOffset" in end:
        return "folder", ""
    return ("delta", str(end["reservoirId"])) if "reservoirId" in end else ("kafka", "")


def partition_offsets(end: Mapping[str, Mapping[str, int]]) -> dict[Partition, int]:
    """Return the next offset of each partition, of what Kafka writes as the end of a micro-batch."""
    return {(topic, int(number)): offset for topic, numbers in end.items() for number, offset in numbers.items()}


def file_entry(end: Mapping[str, int]) -> int:
    """Return the last entry of the log of files, of what a folder writes as the end of a micro-batch."""
    return int(end["logOffset"])


def table_position(end: Mapping[str, Any]) -> TablePosition:
    """Return the position in the table, of what Delta writes as the end of a micro-batch."""
    return TablePosition(int(end["reservoirVersion"]), int(end["index"]), bool(end["isStartingVersion"]))
