"""What is missing: the records of a range that the stream never reads, and that no backfill has planned.

A record is known by its lineage, the columns ``source`` and ``source_offset`` of the tables: of a topic by partition
and offset, of files by the file. What the stream has read is not missing, and neither is what it will read.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.batch import ranges
from clickscore.batch.ranges import Offsets, Span
from clickscore.batch.wiring import Wiring
from clickscore.config.fields import pattern_characters
from clickscore.config.source import FolderSource, KafkaSource
from clickscore.console import counted
from clickscore.errors import SourceError
from clickscore.sources.file_log import list_files, list_landed, read_log
from clickscore.sources.folder import check_folder
from clickscore.sources.gap_detection import read_topic_ids
from clickscore.sources.kafka_admin import read_topic_state
from clickscore.sources.records import shortened
from clickscore.storage import places
from clickscore.storage.backfills import Backfills, Part
from clickscore.storage.files import path_exists, plain_uri
from clickscore.storage.offset_log import planned_offsets

BEFORE_STREAM = -1
MAX_BYTES = FolderSource.model_fields["max_bytes"].default
"""Bytes of a micro-batch where the source is no folder, and says nothing of bytes."""
MICRO_BATCHES = 4
"""A chunk is as large as so many: nobody waits for it, and each of its two commits looks up the number of a
transaction, for which Delta computes the state of the table. That is 2 CPU-seconds a chunk."""


@dataclass(frozen=True)
class Missing:
    """What a range has that is in no table.

    Attributes:
        chunks: the parts of each chunk.
        what: what they are, in words.
        present: what of the range is in the tables, or planned, in words.
        warnings: what a person should know of the rest.
    """

    chunks: list[list[Part]]
    what: str
    present: str
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Range:
    """What was asked for.

    Attributes:
        files: a folder of files beside the landing folder; None for the source itself.
        first: where the range begins; None is the beginning of the source.
        last: where it ends, exclusive; None is where the stream goes on.
    """

    files: str | None = None
    first: datetime | Offsets | None = None
    last: datetime | Offsets | None = None


def find_missing(spark: SparkSession, wiring: Wiring, backfills: Backfills, asked: Range) -> Missing:
    """Return what is missing of a range, in chunks of the size of a micro-batch.

    Raises:
        SourceError: if there is no such range, or the stream is still to read some of it.
    """
    source = wiring.config.source
    if asked.files:
        return _of_files(spark, wiring, backfills, asked, asked.files)
    match source:
        case KafkaSource():
            return _of_topics(spark, wiring, source, backfills, asked)
        case FolderSource():
            return _of_landing(spark, wiring, source)
    raise SourceError(
        "source.kind: a stream over a Delta table begins with the whole table, so none of its rows are missing. Name a "
        "folder of other files with --files."
    )


def _of_landing(spark: SparkSession, wiring: Wiring, source: FolderSource) -> Missing:
    landed, log = list_landed(spark, source.path), read_log(spark, wiring.checkpoint.path)
    total, waiting = landed.count(), landed.join(log, "source", "left_anti").count()
    if waiting:
        raise SourceError(
            f"source.path: {waiting:,} of {total:,} files of {source.path} are still to be read by the stream, which "
            f"takes every file of its landing folder. Start jobs/score_stream.py; or name a folder of other files "
            f"with --files."
        )
    return Missing([], "no files", f"{counted(total, 'file')} of the landing folder")


def _of_files(spark: SparkSession, wiring: Wiring, backfills: Backfills, asked: Range, folder: str) -> Missing:
    place = _check_place(spark, wiring, folder)
    since, until = ranges.as_time("--from", asked.first), ranges.as_time("--to", asked.last)
    files = list_files(spark, place)
    files = files.where(F.col("changed_at") >= F.lit(since)) if since else files
    files = files.where(F.col("changed_at") < F.lit(until)) if until else files
    # By name on the driver: a join would cost more than the chunks of a small folder.
    rows = files.orderBy("changed_at", "source").collect()
    total = len(rows)
    if not total:
        named = f" of the time from {since or 'the beginning'} to {until or 'now'}" if since or until else ""
        raise SourceError(f"--files: {folder} has no file{named} with a name that is read, such as *.jsonl.")
    earlier = backfills.planned().where("place IS NOT NULL").select("source", "changed_at").collect()
    planned = {plain_uri(row.source) for row in earlier}
    moved = {(_name(row.source), row.changed_at) for row in earlier}
    known = read_log(spark, wiring.checkpoint.path).select("source")
    if isinstance(wiring.config.source, FolderSource):
        known = known.unionByName(list_landed(spark, wiring.config.source.path).select("source"))
    names = {_name(row.source) for row in known.collect()}
    rows = [row for row in rows if plain_uri(row.source) not in planned]
    alike = [row.source for row in rows if _name(row.source) in names]
    rows = [row for row in rows if _name(row.source) not in names]
    same = [row.source for row in rows if (_name(row.source), row.changed_at) in moved]
    rows = [row for row in rows if (_name(row.source), row.changed_at) not in moved]
    max_bytes = wiring.config.source.max_bytes if isinstance(wiring.config.source, FolderSource) else MAX_BYTES
    parts = ((Part(row.source, place, row.changed_at), row.bytes) for row in rows)
    warnings = []
    if alike:
        warnings.append(
            f"{counted(len(alike), 'file has', 'files have')} the name of a file that the stream has read, or will "
            f"read, so each counts as that file and is left out: {shortened(sorted(alike))}. Rename "
            f"those that hold other clicks."
        )
    if same:
        warnings.append(
            f"{counted(len(same), 'file has', 'files have')} the name and the modification time of a file that an "
            f"earlier backfill has read from another folder, so each counts as that file and is left out: "
            f"{shortened(sorted(same))}. Touch those that hold other clicks."
        )
    chunks = list(ranges.packed(parts, MICRO_BATCHES * max_bytes))
    return Missing(chunks, counted(len(rows), "file"), counted(total - len(rows), "file"), warnings)


def _check_place(spark: SparkSession, wiring: Wiring, folder: str) -> str:
    if found := pattern_characters(folder):
        raise SourceError(f"--files: {folder} has {found}, which Spark takes for a pattern. Name another folder.")
    check_folder(spark, "--files", folder)
    place, source = places.real(spark, folder), wiring.config.source
    if isinstance(source, FolderSource):
        landing = places.real(spark, source.path)
        if place == landing or places.is_inside(place, landing) or places.is_inside(landing, place):
            raise SourceError(
                f"--files: {folder} and the landing folder {source.path} are one inside the other: the stream reads "
                f"every file of its landing folder itself. Name a folder beside it."
            )
    return place


def _name(source: str) -> str:
    return source.rpartition("/")[2]


def _of_topics(spark: SparkSession, wiring: Wiring, source: KafkaSource, backfills: Backfills, asked: Range) -> Missing:
    topics = read_topic_state(spark, source)
    start = planned_offsets(spark, wiring.checkpoint.path, BEFORE_STREAM)
    reached = planned_offsets(spark, wiring.checkpoint.path, wiring.checkpoint.last_planned)
    upto = {p: min(max(reached.get(p, 0), start.get(p, 0)), end) for p, end in topics.latest.items()}
    ranges.check_known_topics(read_topic_ids(spark, wiring.scored), topics.ids)
    ranges.check_same_topics(start, reached)
    first = _offsets(spark, source, "--from", asked.first, topics.earliest, topics.earliest)
    last = _offsets(spark, source, "--to", asked.last, upto, topics.latest)
    kept = {p: max(offset, topics.earliest[p]) for p, offset in first.items()}
    found = ranges.find_missing(kept, {p: last.get(p, 0) for p in kept}, start, reached)
    if found.ahead:
        partition, begin, end = found.ahead[0]
        raise SourceError(
            f"--to: offsets {begin:,} to {end - 1:,} of {partition[0]}-{partition[1]} are still to be read by the "
            f"stream, which goes on there. End the range at {begin} or earlier, or leave --to out."
        )
    if not any(last.get(p, 0) > offset for p, offset in kept.items()):
        raise SourceError("--from, --to: there are no records in this range of the topics. Widen it.")
    planned = [Part(row.source, None, None, row.first_offset, row.last_offset)
               for row in backfills.planned().where("first_offset IS NOT NULL").collect()]  # fmt: skip
    rest = ranges.without(found.missing, map(ranges.as_span, planned))
    lost = sum(max(0, kept[p] - offset) for p, offset in first.items()) if asked.first else 0
    gone = counted(lost, "offset of the range is", "offsets of the range are")
    warnings = [f"{gone} no longer in the topics"] if lost else []
    most = MICRO_BATCHES * source.max_records
    chunks = [[ranges.as_part(span) for span in chunk] for chunk in ranges.packed(ranges.cut(rest, most), most)]
    count = _length(rest)
    present = found.read + _length(found.missing) - count
    return Missing(chunks, counted(count, "offset"), counted(present, "offset"), warnings)


def _length(spans: Sequence[Span]) -> int:
    return sum(span.end - span.begin for span in spans)


def _offsets(
    spark: SparkSession, source: KafkaSource, option: str, bound: datetime | Offsets | None, default: Offsets,
    known: Offsets,
) -> Offsets:  # fmt: skip
    """Return a bound as offsets: where records of a time or later begin, or those that were given."""
    if bound is None:
        return default
    if isinstance(bound, datetime):
        return read_topic_state(spark, source, round(bound.timestamp() * 1_000)).earliest
    if unknown := sorted(bound.keys() - known.keys()):
        named = ", ".join(f"{topic}-{number}" for topic, number in unknown)
        raise SourceError(f"{option}: the topics of the source have no partition {named}. Correct the range.")
    return bound


def read_part_files(spark: SparkSession, place: str) -> DataFrame:
    """List the files of a folder; see ``list_files``.

    Raises:
        SourceError: if the folder is gone, although a backfill has planned to read it.
    """
    if not path_exists(spark, place):
        raise SourceError(f"--files: {place} is gone, and a backfill is not done with it. Restore the folder; "
                          f"or make an empty one in its place, and its files count as unreadable.")  # fmt: skip
    return list_files(spark, place)
