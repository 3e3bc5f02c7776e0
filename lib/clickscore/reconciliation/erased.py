"""Erased records: what the ledger of erasures says is missing, and which missing records that explains."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from clickscore.config.run import Config
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.discrepancies import PART
from clickscore.reconciliation.record_keys import ErasedVisitors
from clickscore.scoring.contract import Contract
from clickscore.scoring.privacy import id_of_key, read_key
from clickscore.storage.erasures import DONE, NAME, PLANNED, name_of, read_ledger
from clickscore.storage.files import plain_source
from clickscore.storage.table import Table


@dataclass(frozen=True)
class Erased:
    """What was erased from the tables of a stream.

    Attributes:
        parts: ``source, batch_id, erased_rows`` of scored and rejected clicks.
        rows: how many rows in all.
        requests: how many requests.
        unfinished: numbers of those that are planned and not done.
        visitors: who is gone, as far as the key is known and the visitor alone decides; None where it does not.
    """

    parts: DataFrame
    rows: int
    requests: int
    unfinished: tuple[int, ...]
    visitors: ErasedVisitors | None

    def within(self, batches: Range, floor: int) -> DataFrame:
        """Return the parts of some micro-batches, those below the floor as of it, and those of backfills."""
        batch = F.col("batch_id")
        is_mine = (batch < 0) | batch.between(batches.first, batches.last)
        counted_as = F.when(batch < 0, batch).otherwise(F.greatest(batch, F.lit(floor)))
        mine = self.parts.where(is_mine).withColumn("batch_id", counted_as)
        return mine.groupBy(*PART).agg(F.sum("erased_rows").alias("erased_rows"))


def read_ledger_key(config: Config) -> bytes | None:
    """Return the key under which the ledger knows visitors: that of the erasures, else that of privacy, if any.

    Raises:
        ConfigError: if there is no such key, or it is too short.
    """
    if config.erasure:
        return read_key(config.erasure.key, "erasure.key")
    if config.privacy and config.privacy.key:
        return read_key(config.privacy.key, "privacy.key")
    return None


def read_erased(spark: SparkSession, config: Config, contract: Contract) -> Erased | None:
    """Read what was erased from the tables of a run; None where nothing was.

    Raises:
        ConfigError: if the key of the ledger cannot be read.
    """
    scored = Table(config.output.scored)
    tables = [name_of(scored), name_of(Table(config.output.rejected))]
    rows = read_ledger(spark, scored.beside(NAME))
    planned = rows.where((F.col("event") == PLANNED) & F.col("table_name").isin(*tables))
    [[total, requests]] = planned.agg(F.sum("rows"), F.count_distinct("erasure_id")).collect()
    if not requests:
        return None
    plans, done = (rows.where(F.col("event") == event).select("erasure_id", "table_name") for event in (PLANNED, DONE))
    left = plans.distinct().join(done, ["erasure_id", "table_name"], "left_anti").select("erasure_id").distinct()
    parts = planned.withColumn("source", plain_source(F.col("source"))).groupBy(*PART)
    unfinished = tuple(sorted(row.erasure_id for row in left.collect()))
    visitors = _visitors(config, contract, planned)
    return Erased(parts.agg(F.sum("rows").alias("erased_rows")), total, requests, unfinished, visitors)


def _visitors(config: Config, contract: Contract, planned: DataFrame) -> ErasedVisitors | None:
    key = read_ledger_key(config)
    if key is None or config.source.keep:  # a key or a header may have named the visitor
        return None
    if not planned.where(F.col("key_id") != id_of_key(key)).isEmpty():
        return None  # what is known of those under another key are the numbers of their rows
    field = contract.click.field(contract.visitor).with_nullable(True)
    hashes = frozenset(row.visitor_hash for row in planned.select("visitor_hash").distinct().collect())
    return ErasedVisitors(pa.schema([field], contract.click.metadata), key, hashes)


def settle_erased(found: DataFrame, erased: DataFrame, has_duplicates: bool) -> DataFrame:
    """Count records without a row as erased: of each part as many as the ledger says, and nobody else's.

    Args:
        found: differences, with ``is_erased`` where the visitor of a record decides: true and false, null where it
            cannot be read. Without the column, the numbers decide.
        erased: ``source, batch_id, erased_rows``.
        has_duplicates: whether the stream passes over copies of a click; those of an erased one are ``duplicates``.
    """
    names: Iterable[str] = {"is_erased", "vanished"} - set(found.columns)
    missing_columns = {"is_erased": F.lit(None).cast("boolean"), "vanished": F.lit(0).cast("bigint")}
    found = found.withColumns({name: missing_columns[name] for name in names}).join(erased, list(PART), "left")
    may_be = F.when(F.coalesce("is_erased", F.lit(True)), F.col("missing") + F.col("vanished")).otherwise(0)
    in_order = Window.partitionBy(*PART).orderBy(F.desc_nulls_last("is_erased"), "key")
    before = F.coalesce(F.sum("_may_be").over(in_order.rowsBetween(Window.unboundedPreceding, -1)), F.lit(0))
    left = F.greatest(F.coalesce("erased_rows", F.lit(0)) - before, F.lit(0))
    taken = found.withColumn("_may_be", may_be).withColumn("erased", F.least("_may_be", left))
    of_missing = F.least("erased", "missing")
    settled = taken.withColumns(
        {"missing": F.col("missing") - of_missing, "vanished": F.col("vanished") - (F.col("erased") - of_missing)}
    ).drop("_may_be", "erased_rows")
    return _settle_copies(settled) if has_duplicates else settled


def _settle_copies(found: DataFrame) -> DataFrame:
    """Count missing records as duplicates whose id is that of an erased one."""
    id_key = F.col("id_key" if "id_key" in found.columns else "key")
    gone = found.where("erased > 0").select(id_key.alias("gone_key")).where("gone_key IS NOT NULL").distinct()
    joined = found.join(gone, id_key == F.col("gone_key"), "left")
    copies = F.when(F.col("gone_key").isNotNull(), F.col("missing")).otherwise(0)
    known = F.col("duplicates") if "duplicates" in found.columns else F.lit(0)
    return joined.withColumns({"duplicates": known + copies, "missing": F.col("missing") - copies}).drop("gone_key")
