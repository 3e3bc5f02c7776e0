"""What a landing folder holds: the records of the files that the stream took, and the files that it did not take.

A file is counted with the reader that the stream reads it with, so that both mean the same by a record: a line, also an
empty one, and what follows the last end of a line, if there is anything.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.source import FolderSource
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.discrepancies import Holdings
from clickscore.reconciliation.record_keys import ClickId, of_records
from clickscore.sources.file_log import FILE_NAMES
from clickscore.sources.records import bounded
from clickscore.storage.files import all_files, is_hidden, is_hidden_folder, plain_source
from clickscore.storage.offset_log import Planned, file_entry
from clickscore.storage.places import local_path, qualified
from clickscore.storage.schemas import DROP, VALUE

GRACE_MS = 60_000
"""A file may be listed later than it was changed last: it is renamed in between, and a listing takes its time."""
MOST_STRANGERS = 1_000
"""Files with names that the stream does not read, that are looked at; one broken producer can leave millions."""
EXAMPLES = 5

_READ_NAME = re.compile(r".+\.(json|jsonl|ndjson)(\.gz)?", re.DOTALL)
_UNFINISHED = re.compile(
    r"\..*|.*\.(tmp|part|crc)|_(SUCCESS|temporary|started|committed|spark_metadata).*|_(common_)?metadata", re.DOTALL
)
"""Names of what is still being written, and of what writers leave for themselves."""
_CHECKSUM = re.compile(r"\..*\.crc", re.DOTALL)
"""Names of the files with which Hadoop checks others, and which it lists itself nowhere."""


@dataclass(frozen=True)
class Strays:
    """Files of a folder that are not in the tables, each list with a few examples.

    Attributes:
        waiting: how many the next micro-batches will take.
        overdue: how many the stream should have taken.
        overdue_names: examples of them.
        unread: files with names that the stream never reads; of more than ``MOST_STRANGERS``, not all.
        unfinished: files that are being written.
    """

    waiting: int
    overdue: int
    overdue_names: list[str]
    unread: list[str]
    unfinished: list[str]


def in_batches(log: DataFrame, batches: Range) -> DataFrame:
    """Add ``batch_id``, the micro-batch that read each file; leaves out files of others than those of the range."""
    ends = {batch: file_entry(plan.end) for batch, plan in sorted(batches.log.items())}
    if all(batch == end for batch, end in ends.items()):
        return log.withColumn("batch_id", F.col("entry")).where(F.col("batch_id").between(batches.first, batches.last))
    # After a crash, or a micro-batch without files, the log counts other numbers than the micro-batches.
    begin, spans = ends.get(batches.first - 1, -1), []
    for batch in sorted(batch for batch in ends if batch >= batches.first):
        spans.append((batch, begin, ends[batch]))
        begin = ends[batch]
    frame = F.broadcast(log.sparkSession.createDataFrame(spans, "batch_id BIGINT, begin BIGINT, end BIGINT"))
    return log.join(frame, on=(F.col("entry") > F.col("begin")) & (F.col("entry") <= F.col("end"))).drop("begin", "end")


def is_numbered_alike(log: Mapping[int, Planned]) -> bool:
    """Tell whether the log of files counts as the micro-batches do, so that no old plan is needed to tell them."""
    return all(batch == file_entry(plan.end) for batch, plan in log.items())


def read_lines(spark: SparkSession, folder: str, taken: DataFrame) -> DataFrame:
    """Read records once more, at least those of the files that are ``taken``: ``value BINARY, source STRING``."""
    oldest, newest = taken.agg(F.min("changed_ms"), F.max("changed_ms")).collect()[0]
    lines = (
        spark.read.format("text")
        .option("lineSep", "\n")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", FILE_NAMES)
        # A file that has been damaged since has too few records then, instead of ending the audit.
        .option("ignoreCorruptFiles", "true")
        .option("ignoreMissingFiles", "true")
        .load(folder)
    )
    # Constants, so that Spark does not even open the files of other times.
    bounds = [F.timestamp_millis(F.lit(changed_ms or 0)) for changed_ms in (oldest, newest)]
    return lines.where(F.col("_metadata.file_modification_time").between(*bounds)).select(
        bounded(F.col("value")).cast("binary").alias(VALUE), plain_source(F.col("_metadata.file_path")).alias("source")
    )


def hold_files(
    spark: SparkSession, folder: str, taken: DataFrame, landed: DataFrame, unreadable: DataFrame, id: ClickId
) -> Holdings:
    """Return what the files of some micro-batches hold.

    Args:
        spark: the session.
        folder: the landing folder.
        taken: the files: ``source``, ``logged_ms``, ``batch_id``.
        landed: from ``list_landed``.
        unreadable: ``source`` of files that were rejected as a whole; each is one record of nothing.
        id: the field that tells clicks apart.
    """
    unreadable = unreadable.select("source").distinct().withColumn("is_whole", F.lit(True))
    files = taken.join(landed, on="source", how="left").join(unreadable, on="source", how="left")
    nothing = F.lit(None).cast("binary").alias(VALUE)

    def records(of: DataFrame) -> DataFrame:
        lines = read_lines(spark, folder, of).join(unreadable, on="source", how="left_anti")
        return lines.unionByName(of.where("is_whole").select(nothing, "source"))

    # By file first, and then by micro-batch: the list of the files may be too long to travel to every line.
    by_file = of_records(records(files), replace(id, erased=None)).groupBy("source")
    counted = by_file.agg(F.count("key").alias("records"), F.sum("key").alias("held_sum"))
    is_gone = F.col("changed_ms").isNull() & F.col("is_whole").isNull()
    parts = files.join(counted, on="source", how="left").select(
        "source", "batch_id",
        F.coalesce("records", F.lit(0)).alias("records"), F.coalesce("held_sum", F.lit(0)).alias("held_sum"),
        is_gone.alias("is_gone"), (F.col("changed_ms") > F.col("logged_ms")).alias("is_rewritten"),
    )  # fmt: skip

    if id.raw_rule == DROP:  # the tables have nothing of a rejected record to compare
        return Holdings(parts.withColumn("held_sum", F.lit(None).cast("bigint")))

    def keys(suspects: DataFrame) -> DataFrame:
        of = files.join(suspects.select("source", "batch_id"), on=["source", "batch_id"], how="left_semi")
        found = records(of).join(of.select("source", "batch_id"), on="source")
        return of_records(found, id)

    return Holdings(parts, keys)


def listed_at(planned: Mapping[int, int], sizes: Mapping[int, tuple[int, int]], max_bytes: int) -> int:
    """Return when the folder was listed for the newest micro-batch, or earlier; in milliseconds since 1970.

    Spark lists a folder once, and fills micro-batches from that until nothing is left. A micro-batch that had room for
    the next one's files shows that the next one comes from another listing.

    Args:
        planned: when each micro-batch was planned.
        sizes: of each micro-batch, bytes of all its files, and of the largest one.
        max_bytes: most bytes in one micro-batch.
    """
    batch = max(planned)
    while batch - 1 in planned and sizes.get(batch - 1, (0, 0))[0] + sizes.get(batch, (0, 0))[1] > max_bytes:
        batch -= 1
    return planned[batch]


def find_strays(spark: SparkSession, source: FolderSource, log: DataFrame, landed: DataFrame, batches: Range) -> Strays:
    """Find the files that are not in the tables, and tell which of them should be.

    Args:
        spark: the session.
        source: the folder.
        log: the files that the stream took, or has begun to take.
        landed: from ``list_landed``.
        batches: all that are done.
    """
    newest = F.when(F.col("batch_id") >= batches.floor, F.col("batch_id")).alias("batch_id")
    done = in_batches(log, batches).join(landed, on="source", how="left").groupBy(newest)
    rows = done.agg(F.sum("bytes"), F.max("bytes"), F.max("logged_ms")).collect()
    sizes = {int(batch): (int(total), int(most)) for batch, total, most, _ in rows if None not in (batch, total)}
    listed_ms = listed_at({b: plan.planned_ms for b, plan in batches.log.items()}, sizes, source.max_bytes) - GRACE_MS
    newest_ms = max((row[3] for row in rows), default=0)
    room = source.max_bytes - sizes.get(batches.last, (0, 0))[0]
    # Spark takes files by age. One that is older than a file that was taken can only have been overlooked.
    is_late = (F.col("changed_ms") < listed_ms) & ((F.col("changed_ms") < newest_ms) | (F.col("bytes") <= room))
    is_known, is_begun = F.col("entry").isNotNull(), F.col("entry") > file_entry(batches.log[batches.last].end)
    found = landed.join(log.select("source", "entry"), on="source", how="left").withColumn(
        "is_due", ~is_known & is_late
    )
    counts = found.agg(F.count_if(is_begun | ~is_known & ~F.col("is_due")), F.count_if("is_due"))
    waiting, overdue = counts.collect()[0]
    due = found.where("is_due").orderBy("changed_ms").select("source") if overdue else None
    names = [row.source for row in due.head(EXAMPLES)] if due else []
    unread: list[str] = []
    unfinished: list[str] = []
    for path in islice(strangers(spark, source.path), MOST_STRANGERS):
        is_unfinished = any(_UNFINISHED.fullmatch(part) for part in PurePosixPath(path).parts)
        (unfinished if is_unfinished else unread).append(path)
    unread += islice(unlisted(source.path), MOST_STRANGERS)
    return Strays(waiting, overdue, names, unread, unfinished)


def strangers(spark: SparkSession, folder: str) -> Iterator[str]:
    """Yield the paths within the folder that the stream passes over."""
    root = local_path(qualified(spark, folder))
    for path in _local_files(root) if root else all_files(spark, folder):
        if not _READ_NAME.fullmatch(path.rpartition("/")[2]) or is_hidden(path):
            yield path


def _local_files(root: str) -> Iterator[str]:
    """Yield the paths of the files within a local folder, from it on, with those behind links that are not hidden.

    Hadoop's own listing follows hidden links as well, which may lead back to the folder: two of them never end.
    """
    targets = {os.path.realpath(root)}

    def is_followed(folder: Path) -> bool:
        if not folder.is_symlink():
            return True
        target = os.path.realpath(folder)
        is_new = target not in targets and not is_hidden_folder(folder.name)
        targets.update([target] if is_new else [])
        return is_new

    for place, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if is_followed(Path(place, name))]
        for name in names:
            if not _CHECKSUM.fullmatch(name) and _is_unicode(name):
                yield os.path.relpath(Path(place, name), root)


def _is_unicode(name: str) -> bool:
    return name.encode(errors="surrogateescape") == name.encode(errors="ignore")


def unlisted(folder: str) -> Iterator[str]:
    """Yield the files of a local folder that Java leaves out of its listings, as their names are not UTF-8."""
    root = os.fsencode(local_path(folder) or "")
    for place, _, names in os.walk(root) if root else ():
        for name in names:
            path = os.path.relpath(place + b"/" + name, root).decode(errors="backslashreplace")
            is_read = _READ_NAME.fullmatch(path.rpartition("/")[2]) and not is_hidden(path)
            if is_read and name != name.decode(errors="ignore").encode():
                yield path
