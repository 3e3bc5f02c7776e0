"""Expectations: for each kind of source, the records that the tables should hold, and why one may have no row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.run import Config
from clickscore.config.source import DeltaSource, FolderSource, KafkaSource
from clickscore.reasons import ERASED_VISITOR, UNREADABLE_FILE
from clickscore.reconciliation.batch_range import Range, find_range
from clickscore.reconciliation.discrepancies import Holdings, settle_duplicates
from clickscore.reconciliation.landed_files import (
    Strays,
    find_strays,
    hold_files,
    in_batches,
    is_numbered_alike,
)
from clickscore.reconciliation.record_keys import ClickId, has_id, of_offsets, of_rejected, of_scored
from clickscore.reconciliation.table_commits import earliest_batch, hold_commits, in_order, read_actions
from clickscore.reconciliation.topic_offsets import explain, find_spans, hold_offsets
from clickscore.sources.file_log import list_landed, read_log
from clickscore.sources.gap_detection import read_topic_ids
from clickscore.sources.kafka_admin import read_topic_state
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.files import plain_source
from clickscore.storage.offset_log import Planned, planned_offsets
from clickscore.storage.schemas import KEEP
from clickscore.storage.table import Table

BEFORE_STREAM = -1


@dataclass(frozen=True)
class Rows:
    """The rows of both tables, with the path of a file as all of them write it."""

    scored: DataFrame
    rejected: DataFrame

    def within(self, batches: Range, floor: int) -> "Rows":
        """Return the rows of some micro-batches; those below the floor count as of it."""

        def cut(table: DataFrame) -> DataFrame:
            mine = table.where(F.col("batch_id").between(batches.first, batches.last))
            return mine.withColumn("batch_id", F.greatest("batch_id", F.lit(floor)))

        return Rows(cut(self.scored), cut(self.rejected))

    def without_refused(self) -> "Rows":
        """Return the rows that tell which record they are of: of one that was refused, nothing is kept."""
        return Rows(self.scored, self.rejected.where(F.col("reason") != ERASED_VISITOR))


@dataclass(frozen=True)
class Case:
    """What is to be audited.

    Attributes:
        spark: the session.
        config: the run.
        id: the field that tells clicks apart.
        checkpoint: the stream.
        log: plans of micro-batches that are done.
        rows: all rows of micro-batches that are done, and those of replays.
        first: first micro-batch that was asked for, if one was.
        last: the last one.
    """

    spark: SparkSession
    config: Config
    id: ClickId
    checkpoint: Checkpoint
    log: Mapping[int, Planned]
    rows: Rows
    first: int | None
    last: int | None

    def seen(self) -> DataFrame | None:
        """Return keyed rows of both tables by the id of the click, where the stream passes over duplicates."""
        if not self.config.deduplicate:
            return None
        keyed = of_scored(self.rows.scored, self.id).unionByName(of_rejected(self.rows.rejected, self.id))
        return keyed if self.id.raw_rule == KEEP else has_id(keyed)

    def settle(self, found: DataFrame) -> DataFrame:
        """Tell duplicates from records that are missing."""
        seen = self.seen()
        return found if seen is None else settle_duplicates(found, seen)


@dataclass(frozen=True)
class Evidence:
    """The two sides of an audit.

    Attributes:
        batches: the micro-batches that are looked at.
        floor: the first of them; older ones in the range count as of it, where they cannot be told apart.
        held: what the source holds.
        scored: keyed rows of ``scored_clicks`` by micro-batch and source.
        rejected: the same of ``rejected_clicks``.
        settle: tells why records have no row.
        strays: files that are not in the tables; None for other sources than a folder.
        rejected_files: ``source`` of files that were rejected as a whole; None for other sources.
        cached: what is kept for the time of the audit.
        offsets: how many offsets each micro-batch was planned to read; None for other sources than topics.
    """

    batches: Range
    floor: int
    held: Holdings
    scored: DataFrame
    rejected: DataFrame
    settle: Callable[[DataFrame], DataFrame]
    strays: Strays | None = None
    rejected_files: DataFrame | None = None
    cached: tuple[DataFrame, ...] = ()
    offsets: Mapping[int, int] | None = None


def read_rows(spark: SparkSession, scored: Table, rejected: Table, last_done: int) -> Rows:
    """Read both tables, without what the running stream is writing just now."""

    def read(table: Table) -> DataFrame:
        rows = table.read(spark).where(F.col("batch_id") <= last_done)
        return rows.withColumn("source", row_source())

    return Rows(read(scored), read(rejected))


def row_source() -> Column:
    """Return the source of a row as all parts write it; a row of none is of no part, and so a finding."""
    return F.coalesce(plain_source(F.col("source")), F.lit(""))  # a null would be joined with nothing


def gather(case: Case) -> Evidence:
    """Return the evidence of a case.

    Raises:
        WiringError: if checkpoint or source do not say what was to be read.
    """
    source = case.config.source
    return _KINDS[source.kind](case, source)


def _of_topics(case: Case, source: KafkaSource) -> Evidence:
    batches = find_range(case.checkpoint, case.log, case.first, case.last)
    rows = case.rows.within(batches, batches.floor)
    spans = find_spans(planned_offsets(case.spark, case.checkpoint.path, BEFORE_STREAM), batches)
    scored = Table(case.config.output.scored)
    ids = read_topic_ids(case.spark, scored)
    held = hold_offsets(case.spark, spans)

    def settle(found: DataFrame) -> DataFrame:
        table, gaps = scored.beside("source_gaps"), None
        if table.exists(case.spark):
            of_stream = table.read(case.spark).where("batch_id >= 0")
            gaps = of_stream.withColumn("batch_id", F.greatest("batch_id", F.lit(batches.floor)))
        topics = read_topic_state(case.spark, source)
        return explain(case.spark, source, found, gaps, topics, ids, case.seen(), case.id)

    offsets: dict[int, int] = {}
    for span in spans:
        offsets[span.batch_id] = offsets.get(span.batch_id, 0) + max(span.end - span.begin, 0)
    scored_rows, rejected_rows = of_offsets(rows.scored), of_offsets(rows.rejected)
    return Evidence(batches, batches.floor, held, scored_rows, rejected_rows, settle, offsets=offsets)


def _of_folder(case: Case, source: FolderSource) -> Evidence:
    batches = find_range(case.checkpoint, case.log, case.first, case.last)
    floor = batches.first if is_numbered_alike(batches.log) else batches.floor
    rows = case.rows.within(batches, floor)
    unreadable = rows.rejected.where(F.col("reason") == UNREADABLE_FILE)
    # A row for each file; both are listings, and needed more than once.
    log = read_log(case.spark, case.checkpoint.path).persist()
    landed = list_landed(case.spark, source.path).persist()
    held = hold_files(case.spark, source.path, in_batches(log, batches), landed, unreadable, case.id)
    everything = find_range(case.checkpoint, case.log, 0, None)
    strays = find_strays(case.spark, source, log, landed, everything)
    scored, rejected = of_scored(rows.scored, case.id), of_rejected(rows.rejected, case.id)
    rejected_files = unreadable.select("source").distinct()
    return Evidence(batches, floor, held, scored, rejected, case.settle, strays, rejected_files, (log, landed))


def _of_table(case: Case, source: DeltaSource) -> Evidence:
    actions = read_actions(case.spark, Table(source.table)).persist()
    oldest = actions.agg(F.min("version")).collect()[0][0]
    batches = find_range(case.checkpoint, case.log, case.first, case.last, earliest_batch(case.log, oldest))
    files = in_order(actions, case.log[0].end if oldest == 0 and 0 in case.log else None)
    held = hold_commits(case.spark, source, files, batches, case.id)
    rows = case.rows.within(batches, batches.floor)
    # Of a table of typed columns, only that of the id is read again.
    rejected = of_rejected(rows.rejected, case.id, is_id_all=source.column is None)
    scored = of_scored(rows.scored, case.id)
    return Evidence(batches, batches.floor, held, scored, rejected, case.settle, cached=(actions,))


_KINDS: dict[str, Callable[[Case, Any], Evidence]] = {"kafka": _of_topics, "folder": _of_folder, "delta": _of_table}
