"""Records of a source: how those without an offset are read, and what messages say of those of a micro-batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from clickscore.storage.schemas import SOURCE_TIME

LONGEST = 8 * 1024**2
"""Bytes of a line that is handed on whole. One above is far beyond what any click may be, and costs every step its size
several times over: a line of 100 MB has taken the JVM with it."""
BEGINNING = 2 * 1024**2
"""Characters of such a line that are handed on. They are more than a click may have, so it is rejected as too large."""
LAST_MS = round(datetime(9999, 12, 31, tzinfo=timezone.utc).timestamp() * 1_000)
"""Latest time that Python can hold, but for a day."""
MOST_NAMED = 5
"""Files or partitions that a message names."""


class FieldOrigin(NamedTuple):
    """Where a field of a click is in a record.

    Attributes:
        name: of the field.
        is_required: whether a click is none without it.
        parts: names at the top of the record that it is read from: one after the other until one is there, or all;
            none for a constant.
        needs_all: whether all of them make it.
    """

    name: str
    is_required: bool
    parts: tuple[str, ...]
    needs_all: bool = False


@dataclass(frozen=True)
class BatchPlan:
    """What a micro-batch was planned to be made of, for a message about it.

    Attributes:
        what: how many records or files, and which.
        way_past: how a person lets the stream go on without them, as a command.
    """

    what: str
    way_past: str


@dataclass(frozen=True)
class BatchInput:
    """A part of the source that a micro-batch has read, for lineage.

    Attributes:
        place: address of the folder or the table, or of a broker.
        range: which part of it.
        topic: the topic at that broker; None for a folder or a table.
    """

    place: str
    range: Mapping[str, Any]
    topic: str | None = None


def shortened(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def bounded(line: Column) -> Column:
    """Return a line of text; of one above ``LONGEST`` its beginning and, in words, its size."""
    size = F.octet_length(line)
    words = F.format_string(" [cut off: the line has %d bytes]", size)
    return F.when(size > LONGEST, F.concat(F.substring(line, 1, BEGINNING), words)).otherwise(line)


def without_offsets(rows: DataFrame, record: Column, source: Column) -> DataFrame:
    """Return a record for each row; columns as in ``schemas.raw``, with null as the offset and the time.

    Args:
        rows: what was read.
        record: the record, as text or as bytes.
        source: the file that it comes from.
    """
    no_offset, no_time = F.lit(None).cast("bigint"), F.lit(None).cast("timestamp")
    return rows.select(
        record.cast("binary").alias("value"),
        source.alias("source"),
        no_offset.alias("source_offset"),
        no_time.alias(SOURCE_TIME.name),
    )
