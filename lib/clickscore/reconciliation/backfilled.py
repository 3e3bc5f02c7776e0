"""What backfills must have written: the records of their chunks that are done, from the plans in ``backfills``."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clickscore.config.source import KafkaSource
from clickscore.reasons import UNREADABLE_FILE
from clickscore.reconciliation.discrepancies import Holdings
from clickscore.reconciliation.expectations import Case, Evidence
from clickscore.reconciliation.landed_files import hold_files
from clickscore.reconciliation.record_keys import of_offsets, of_rejected, of_scored
from clickscore.reconciliation.topic_offsets import Span, explain, hold_offsets
from clickscore.sources.file_log import list_landed
from clickscore.sources.kafka_admin import read_topic_state
from clickscore.storage.backfills import DONE, Backfills
from clickscore.storage.files import path_exists, plain_source
from clickscore.storage.schemas import IS_BACKFILL
from clickscore.storage.table import Table

_OF_FILE, _OF_OFFSETS = "source_offset IS NULL", "source_offset IS NOT NULL"


def has_backfills(case: Case) -> bool:
    """Tell whether the tables of a stream have had a backfill, or have rows that claim to be of one."""
    if _backfills(case).table.exists(case.spark):
        return True
    return any(not table.where(IS_BACKFILL).isEmpty() for table in (case.rows.scored, case.rows.rejected))


def count_unfinished(case: Case) -> int:
    """Return how many chunks of backfills are planned and not done."""
    return len(_backfills(case).unfinished())


def gather_backfills(case: Case, evidence: Evidence) -> Iterator[Evidence]:
    """Yield the evidence of backfills: of the files that they have read, and of the offsets.

    Chunks that are planned and not done are left out: a backfill is writing them just now, or the next one will.

    Args:
        case: what is audited.
        evidence: of the stream.
    """
    backfills = _backfills(case)
    # What is done is known before the rows are read: a chunk that ends meanwhile is one for the next audit.
    events = [(row.batch_id, row.event) for row in backfills.read().select("batch_id", "event").distinct().collect()]
    done = {batch_id for batch_id, event in events if event == DONE}
    unfinished = sorted({batch_id for batch_id, _ in events} - done)
    is_looked_at = F.expr(IS_BACKFILL) & ~F.col("batch_id").isin(unfinished)
    if events:  # where nothing was ever planned, no row has come since
        is_looked_at &= F.col("batch_id") <= max(batch_id for batch_id, _ in events)
    parts = backfills.planned().where(is_looked_at).withColumn("source", plain_source(F.col("source")))

    def rows(table: DataFrame, kind: str) -> DataFrame:
        return table.where(is_looked_at).where(kind)

    scored, rejected = (rows(table, _OF_FILE) for table in (case.rows.scored, case.rows.rejected))
    held = _hold_files(case, parts.where("place IS NOT NULL"), rejected.where(F.col("reason") == UNREADABLE_FILE))
    mine = replace(evidence, strays=None, cached=(), settle=lambda found: found)
    yield replace(mine, held=held, scored=of_scored(scored, case.id), rejected=of_rejected(rejected, case.id))
    if isinstance(source := case.config.source, KafkaSource):
        scored, rejected = (rows(table, _OF_OFFSETS) for table in (case.rows.scored, case.rows.rejected))
        spans = [
            Span(row.source, row.batch_id, row.first_offset, row.last_offset + 1)
            for row in parts.where("place IS NULL").collect()
        ]
        yield replace(mine, held=hold_offsets(case.spark, spans), settle=_explaining(case, source),
                      scored=of_offsets(scored), rejected=of_offsets(rejected))  # fmt: skip


def _backfills(case: Case) -> Backfills:
    assert case.checkpoint.stream  # the tables are bound to it
    return Backfills.of(case.spark, Table(case.config.output.scored), case.checkpoint.stream)


def _hold_files(case: Case, parts: DataFrame, unreadable: DataFrame) -> Holdings:
    """Return what the files hold; of a folder that is gone, nothing can be said."""
    taken = parts.select("source", "batch_id", F.unix_millis("changed_at").alias("logged_ms"), "place")
    nowhere = case.spark.createDataFrame([], "source STRING, bytes BIGINT, changed_ms BIGINT")
    found = []
    for place in sorted(row.place for row in taken.select("place").distinct().collect()):
        is_there = path_exists(case.spark, place)
        landed = list_landed(case.spark, place) if is_there else nowhere
        here = taken.where(F.col("place") == place).drop("place")
        if is_there:
            found.append(hold_files(case.spark, place, here, landed, unreadable, case.id))
        else:
            found.append(Holdings(here.select(
                "source", "batch_id", F.lit(0).cast("bigint").alias("records"), F.lit(0).alias("held_sum"),
                F.lit(True).alias("is_gone"), F.lit(False).alias("is_rewritten"),
            )))  # fmt: skip
    if not found:
        return hold_offsets(case.spark, [])
    keyed = [held.keys for held in found if held.keys]
    parts = reduce(DataFrame.unionByName, [held.parts for held in found])
    if not keyed:
        return Holdings(parts)
    return Holdings(parts, lambda suspects: reduce(DataFrame.unionByName, [keys(suspects) for keys in keyed]))


def _explaining(case: Case, source: KafkaSource) -> Callable[[DataFrame], DataFrame]:
    def settle(found: DataFrame) -> DataFrame:
        table = Table(case.config.output.scored).beside("source_gaps")
        gaps = table.read(case.spark).where(IS_BACKFILL) if table.exists(case.spark) else None
        topics = read_topic_state(case.spark, source)
        return explain(case.spark, source, found, gaps, topics, topics.ids, None, case.id)

    return settle
