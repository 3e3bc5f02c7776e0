"""The audit: checks that each record of the source is in exactly one row, and names those that are not."""

from collections.abc import Callable
from functools import reduce

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.run import Config
from clickscore.reconciliation import audit_report, discrepancies, surplus_rows
from clickscore.reconciliation.backfilled import count_unfinished, gather_backfills, has_backfills
from clickscore.reconciliation.erased import Erased, read_erased, settle_gone
from clickscore.reconciliation.expectations import Case, Evidence, Rows, gather, read_rows
from clickscore.reconciliation.record_keys import ClickId, of_rejected, of_scored
from clickscore.reconciliation.unwritten import read_unwritten, settle_unwritten
from clickscore.scoring.wire import check_registry
from clickscore.sources.identity import settle
from clickscore.sources.kinds import check_source
from clickscore.storage import stream_metrics
from clickscore.storage.backfills import NAME
from clickscore.storage.checkpoint import check_bound, read_checkpoint
from clickscore.storage.offset_log import read_plans
from clickscore.storage.privacy import check_privacy
from clickscore.storage.schemas import IS_REPLAY
from clickscore.storage.table import Table
from clickscore.stream.definition import define_contract, privacy_properties


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, first: int | None, last: int | None
) -> bool:
    """Compare the source with the tables and print what was found; writes nothing.

    Args:
        config: the run.
        make_session: builds the session.
        console: where the table and the findings go.
        first: first micro-batch to look at; None is the first that can be proven.
        last: last micro-batch; None is the last that is done.

    Returns:
        Whether each record is in exactly one row, and no file was overlooked.

    Raises:
        WiringError: if source, checkpoint and tables cannot be compared.
    """
    spark = make_session()
    contract = define_contract(config)
    checkpoint = read_checkpoint(spark, config.checkpoint)
    scored, rejected = Table(config.output.scored), Table(config.output.rejected)
    if checkpoint.last_done < 0:
        for table in (scored, rejected):
            if table.exists(spark):  # of a checkpoint that is lost, or another's, they have all that was ever scored
                check_bound(spark, table, checkpoint)
        return audit_report.show_no_batch(console, config.checkpoint, scored.beside(NAME).exists(spark))
    for table in (scored, rejected):
        check_bound(spark, table, checkpoint)
        check_privacy(spark, table, privacy_properties(contract))
    check_source(spark, config.source)
    config = config.model_copy(update={"source": settle(spark, config.source, checkpoint)})
    log = read_plans(spark, config.checkpoint)
    done = {batch: plan for batch, plan in log.items() if batch <= checkpoint.last_done}
    rows = read_rows(spark, scored, rejected, checkpoint.last_done)
    check_registry(contract.click)
    id_field = pa.schema([contract.click.field(contract.id)], contract.click.metadata)
    erased = read_erased(spark, config, contract, rows.rejected)
    rows = rows.without_refused()
    click_id = ClickId(id_field, contract.protection, erased.visitors if erased else None)
    case = Case(spark, config, click_id, checkpoint, done, rows, first, last)
    evidence = gather(case)
    backfills = gather_backfills(case, evidence) if first is None and last is None and has_backfills(case) else ()
    has_duplicates = config.deduplicate is not None
    metrics = scored.beside(stream_metrics.NAME) if has_duplicates or evidence.offsets is not None else None
    kept = [
        _compare(spark, each, erased, has_duplicates, metrics if each is evidence else None)
        for each in (evidence, *backfills)
    ]
    settled = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), [each for _, each in kept])
    if erased:
        refused = erased.within(evidence.batches, evidence.floor)
        settled = surplus_rows.add(settled, surplus_rows.without_record(settled, refused))
    if last is None:
        not_planned = surplus_rows.of_no_batch(spark, (scored, rejected), config.checkpoint, checkpoint.last_done)
        settled = surplus_rows.add(settled, not_planned)
    try:
        if unfinished := count_unfinished(case):
            audit_report.say_unfinished(console, unfinished)
        changes = [(table.name, _changes(spark, table)) for table in (scored, rejected)]
        return audit_report.show(
            console, settled, checkpoint, evidence, _replays(rows, click_id, erased), changes, erased
        )
    finally:
        for frame in (*(frame for pair in kept for frame in pair), *evidence.cached):
            frame.unpersist()


def _compare(
    spark: SparkSession, evidence: Evidence, erased: Erased | None, has_duplicates: bool, metrics: Table | None
) -> tuple[DataFrame, DataFrame]:
    """Compare both sides of an audit; return the parts, and the parts with their differences, both persisted."""
    rows = discrepancies.count_rows(evidence.scored, evidence.rejected)
    parts = discrepancies.compare(evidence.held.parts, rows).persist()
    gone = erased.within(evidence.batches, evidence.floor) if erased else None

    def without_gone(found: DataFrame, has_keys: bool = True) -> DataFrame:
        has_copies = has_duplicates and has_keys  # a number does not say of whom there are copies
        return found if gone is None else settle_gone(found, gone, has_copies)

    sums, found = None, _look_closer(parts.where("differs"), evidence, without_gone)
    if found is not None:
        unwritten = None
        if metrics:
            unwritten = read_unwritten(spark, metrics, evidence.batches, evidence.floor, evidence.offsets)
        sums = discrepancies.sum_up(found if unwritten is None else settle_unwritten(found, unwritten))
    # A row for each file or partition and micro-batch; it costs a look at every record, and is read more than once.
    return parts, discrepancies.with_differences(parts, sums).persist()


def _look_closer(suspects: DataFrame, evidence: Evidence, without_gone: Callable[..., DataFrame]) -> DataFrame | None:
    """Compare parts that differ record by record, as far as the source lets us; None where no part differs."""
    if suspects.isEmpty():
        return None
    held = evidence.held
    if held.keys is None:
        return without_gone(discrepancies.count_differences(suspects), has_keys=False)
    if held.readable is None:
        return without_gone(_by_key(suspects, held.keys, evidence))
    by_key = suspects.join(held.readable, on="source", how="left_semi")
    by_number = suspects.join(held.readable, on="source", how="left_anti")
    counted = without_gone(discrepancies.count_differences(by_number), has_keys=False)
    return without_gone(_by_key(by_key, held.keys, evidence)).unionByName(counted, allowMissingColumns=True)


def _by_key(suspects: DataFrame, keys: Callable[[DataFrame], DataFrame], evidence: Evidence) -> DataFrame:
    parts = suspects.select(*discrepancies.PART)
    rows = evidence.scored.unionByName(evidence.rejected).join(parts, on=list(discrepancies.PART), how="left_semi")
    return evidence.settle(discrepancies.differences(keys(suspects), rows))


def _replays(rows: Rows, click_id: ClickId, erased: Erased | None) -> DataFrame | None:
    """Compare what replays have resolved with what they have scored; None where there was no replay."""
    replayed, rejected = rows.scored.where(IS_REPLAY), rows.rejected
    if "replay_id" not in rejected.columns:
        if replayed.isEmpty():
            return None
        # Nothing is marked any more, as after a RESTORE of the table: no row of a replay is accounted for.
        rejected = rejected.limit(0).withColumn("replay_id", F.lit(None).cast("bigint"))
    resolved = rejected.where("replay_id IS NOT NULL").withColumn("batch_id", -F.col("replay_id"))
    scored = of_scored(replayed, click_id)
    gone = erased.replays if erased else None
    return discrepancies.unfinished_replays(scored, of_rejected(resolved, click_id), gone)


def _changes(spark: SparkSession, table: Table) -> DataFrame:
    """Return the changes of a table that are not appends: the usual cause of rows that are missing."""
    is_change = F.col("operation").rlike("DELETE|UPDATE|MERGE|RESTORE|TRUNCATE|REPLACE")
    is_overwrite = F.coalesce(F.col("operationParameters")["mode"] == "Overwrite", F.lit(False))
    changes = table.delta(spark).history().where(is_change | is_overwrite)
    metrics = F.to_json("operationMetrics")
    counts = [
        F.get_json_object(metrics, f"$.{name}")
        for name in ("numDeletedRows", "numTargetRowsDeleted", "num_deleted_rows")
    ]
    found: DataFrame = changes.select("version", "timestamp", "operation", F.coalesce(*counts).alias("deleted"))
    return found
