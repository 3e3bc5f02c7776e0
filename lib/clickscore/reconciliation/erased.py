"""Records that are gone: what the ledger says is missing, what was refused, and which records that explains."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from clickscore.config.run import Config
from clickscore.reasons import ERASED_VISITOR
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.discrepancies import PART
from clickscore.reconciliation.record_keys import is_without_id
from clickscore.scoring.contract import Contract
from clickscore.scoring.erased_visitors import ErasedVisitors
from clickscore.scoring.privacy import id_of_key, read_ledger_key
from clickscore.storage.erasures import DONE, ERASURE, NAME, PLANNED, RETENTION, name_of, read_ledger
from clickscore.storage.files import plain_source
from clickscore.storage.schemas import IS_REPLAY
from clickscore.storage.table import Table

KINDS = {"erased": ERASURE, "expired": RETENTION}
"""What the audit counts, and what the ledger calls its cause."""
REFUSED = "refused"
GONE = (REFUSED, *KINDS)
"""What explains a missing record, in the order in which it does: what was refused has a row for each, what the ledger
plans to remove may still be there."""


@dataclass(frozen=True)
class Erased:
    """What was erased from the tables of a stream, what retention has removed, and what was refused.

    Attributes:
        parts: ``source, batch_id, erased_rows, expired_rows, refused_rows`` of scored and rejected clicks.
        rows: how many rows in all, by ``erased``, ``expired`` and ``refused``.
        requests: how many requests and removals, by the first two.
        unfinished: numbers of those that are planned and not done, by the same.
        visitors: who is gone, as far as the key is known and the visitor alone decides; None where it does not.
        replays: ``source, batch_id, scored_gone, rejected_gone``: how many clicks of a replay are gone, and how many
            rejected ones that it had resolved; ``batch_id`` is that of its clicks.
    """

    parts: DataFrame
    rows: Mapping[str, int]
    requests: Mapping[str, int]
    unfinished: Mapping[str, tuple[int, ...]]
    visitors: ErasedVisitors | None
    replays: DataFrame

    def within(self, batches: Range, floor: int) -> DataFrame:
        """Return the parts of some micro-batches, those below the floor as of it, and those of backfills."""
        batch = F.col("batch_id")
        is_mine = (batch < 0) | batch.between(batches.first, batches.last)
        counted_as = F.when(batch < 0, batch).otherwise(F.greatest(batch, F.lit(floor)))
        mine = self.parts.where(is_mine).withColumn("batch_id", counted_as)
        return mine.groupBy(*PART).agg(*[F.sum(f"{name}_rows").alias(f"{name}_rows") for name in GONE])


def read_erased(spark: SparkSession, config: Config, contract: Contract, rejected: DataFrame) -> Erased | None:
    """Read what was erased from the tables of a run, removed or refused; None where nothing was.

    Args:
        spark: the session.
        config: the run.
        contract: what a click is.
        rejected: ``rejected_clicks``; of a refused record, its row has the source and the micro-batch alone.

    Raises:
        ConfigError: if the key of the ledger cannot be read.
    """
    scored = Table(config.output.scored)
    tables = [name_of(scored), name_of(Table(config.output.rejected))]
    ledger = read_ledger(spark, scored.beside(NAME))
    rows = ledger.where(F.col("table_name").isin(*tables))
    planned = rows.where(F.col("event") == PLANNED)
    counted = planned.groupBy("kind").agg(F.sum("rows"), F.count_distinct("erasure_id")).collect()
    is_refused = F.col("reason") == ERASED_VISITOR
    of_refused = rejected.where(is_refused).groupBy(*PART).agg(F.count(F.lit(1)).alias("refused_rows"))
    found = of_refused.collect()  # counted once: a replay may refuse more meanwhile
    total, refused = sum(row.refused_rows for row in found), spark.createDataFrame(found, of_refused.schema)
    if not counted and not total:
        return None
    plans, done = (rows.where(F.col("event") == event) for event in (PLANNED, DONE))
    left = plans.join(done, ["erasure_id", "table_name"], "left_anti").select("kind", "erasure_id").distinct().collect()
    named = {kind: name for name, kind in KINDS.items()}
    by_kind = planned.withColumn("source", plain_source(F.col("source"))).groupBy(*PART)
    sums = [
        F.coalesce(F.sum(F.when(F.col("kind") == kind, F.col("rows"))), F.lit(0)).alias(f"{name}_rows")
        for name, kind in KINDS.items()
    ]
    names = [f"{name}_rows" for name in GONE]
    parts = by_kind.agg(*sums).join(refused, list(PART), "full").fillna(0, names).select(*PART, *names)
    return Erased(
        parts,
        {named[kind]: rows for kind, rows, _ in counted} | {REFUSED: total},
        {named[kind]: requests for kind, _, requests in counted},
        {name: tuple(sorted(row.erasure_id for row in left if row.kind == kind)) for name, kind in KINDS.items()},
        _visitors(config, contract, ledger.where(F.col("event") == PLANNED)),
        _replays(planned, tables[1]),
    )


def _replays(planned: DataFrame, rejected: str) -> DataFrame:
    is_rejected = F.col("table_name") == rejected
    batch_id = F.when(is_rejected, -F.col("replay_id")).when(F.expr(IS_REPLAY), F.col("batch_id"))
    mine = planned.select(
        plain_source(F.col("source")).alias("source"),
        batch_id.alias("batch_id"),
        "rows",
        is_rejected.alias("is_rejected"),
    )
    sums = [
        F.sum(F.when(condition, F.col("rows")).otherwise(0))
        for condition in (~F.col("is_rejected"), F.col("is_rejected"))
    ]
    return (
        mine.where("batch_id IS NOT NULL")
        .groupBy(*PART)
        .agg(sums[0].alias("scored_gone"), sums[1].alias("rejected_gone"))
    )


def _visitors(config: Config, contract: Contract, planned: DataFrame) -> ErasedVisitors | None:
    key = read_ledger_key(config.erasure, config.privacy)
    if key is None or config.source.keep:  # a key or a header may have named the visitor
        return None
    known = planned.where(F.col("kind") == ERASURE).select("key_id", "visitor_hash").distinct().collect()
    if {row.key_id for row in known} != {id_of_key(key)}:
        return None  # what is known of those under another key are the numbers of their rows
    return ErasedVisitors.of(contract.click, contract.visitor, key, frozenset(row.visitor_hash for row in known))


def settle_gone(found: DataFrame, gone: DataFrame, has_duplicates: bool) -> DataFrame:
    """Count records without a row as erased, expired or refused: of each part as many as there are of each.

    Args:
        found: differences, with ``is_erased`` where the visitor of a record decides: true and false, null where it
            cannot be read. Without the column, the numbers decide. They always do for what has expired.
        gone: ``source, batch_id, erased_rows, expired_rows, refused_rows``.
        has_duplicates: whether the stream passes over copies of a click; those of one that is gone are ``duplicates``.
    """
    names: Iterable[str] = {"is_erased", "vanished"} - set(found.columns)
    missing_columns = {"is_erased": F.lit(None).cast("boolean"), "vanished": F.lit(0).cast("bigint")}
    found = found.withColumns({name: missing_columns[name] for name in names})
    first = _first_of_each(found) if has_duplicates else F.col("missing") + F.col("vanished")
    found = found.withColumn("_first", first).join(gone, list(PART), "left")
    found = _take(found, REFUSED, F.coalesce("is_erased", F.lit(True)))
    found = _take(found, "erased", F.coalesce("is_erased", F.lit(True)))
    found = _take(found, "expired", F.lit(True)).drop("_first")
    return _settle_copies(found) if has_duplicates else found


def _first_of_each(found: DataFrame) -> Column:
    """Return of how many missing records a row may have been: where the stream passes over copies, of one for an id.

    It is that of the micro-batch which had the id first. What has no id, or none that is known, is nobody's copy.
    """
    open_rows, key = F.col("missing") + F.col("vanished"), id_key(found)
    earlier = Window.partitionBy(key).orderBy(*PART[::-1]).rowsBetween(Window.unboundedPreceding, -1)
    is_first = F.coalesce(F.sum(open_rows).over(earlier), F.lit(0)) == 0
    of_id = F.when(is_first, F.least(open_rows, F.lit(1))).otherwise(0)
    return F.when(key.isNull() | is_without_id(key), open_rows).otherwise(of_id)


def _take(found: DataFrame, name: str, may_be: Column) -> DataFrame:
    """Count missing records as what the ledger names, up to its number for their part, and drop that number.

    Those that must have had a row, ``_first``, come before those that may be copies.
    """
    part = Window.partitionBy(*PART)
    before = part.orderBy(F.desc_nulls_last("is_erased"), "key").rowsBetween(Window.unboundedPreceding, -1)
    limit = F.coalesce(f"{name}_rows", F.lit(0))

    def taken(wanted: str, left: Column) -> Column:
        return F.least(wanted, F.greatest(left - F.coalesce(F.sum(wanted).over(before), F.lit(0)), F.lit(0)))

    rest = F.col("missing") + F.col("vanished") - F.col("_first")
    wanted = {"_wanted": F.when(may_be, F.col("_first")).otherwise(0), "_again": F.when(may_be, rest).otherwise(0)}
    found = found.withColumns(wanted).withColumn("_taken", taken("_wanted", limit))
    again = taken("_again", F.greatest(limit - F.sum("_wanted").over(part), F.lit(0)))
    found = found.withColumn(name, F.col("_taken") + again)
    of_missing = F.least(name, "missing")
    return found.withColumns(
        {"missing": F.col("missing") - of_missing, "vanished": F.col("vanished") - (F.col(name) - of_missing),
         "_first": F.col("_first") - F.col("_taken")}
    ).drop("_wanted", "_again", "_taken", f"{name}_rows")  # fmt: skip


def _settle_copies(found: DataFrame) -> DataFrame:
    """Count missing records as duplicates whose id is that of one that is gone; those without an id are all alike."""
    key = id_key(found)
    ids = found.where(f"{' + '.join(GONE)} > 0").select(key.alias("gone_key")).where(~is_without_id(F.col("gone_key")))
    joined = found.join(ids.distinct(), key == F.col("gone_key"), "left")
    copies = F.when(F.col("gone_key").isNotNull(), F.col("missing")).otherwise(0)
    known = F.col("duplicates") if "duplicates" in found.columns else F.lit(0)
    return joined.withColumns({"duplicates": known + copies, "missing": F.col("missing") - copies}).drop("gone_key")


def id_key(found: DataFrame) -> Column:
    """Return the key of the id of a record; that of a record of a topic is not its own key, and null if it is gone."""
    return F.col("id_key" if "id_key" in found.columns else "key")
