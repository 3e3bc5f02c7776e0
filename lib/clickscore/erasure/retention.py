"""Retention: rows that are older than the configuration allows leave the tables, as those of an erased visitor do.

What is too old is counted in one version of each table and planned in the ledger, then each table loses it in one
commit, then the ledger says so. So the audit knows at every moment which rows may be missing. A run that was killed is
finished by the next one, or by the next erasure, as a row must not be planned twice.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone
from functools import partial, reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.fields import interval_text
from clickscore.config.run import Config
from clickscore.console import counted, warn
from clickscore.erasure.deletion import carry_out
from clickscore.erasure.old_rows import Rule, as_planned, count_old, planned_rows, rules, too_far_behind
from clickscore.errors import ConfigError
from clickscore.reconciliation.audit_report import say
from clickscore.storage import stream_metrics
from clickscore.storage.checkpoint import Checkpoint, check_bound, read_checkpoint
from clickscore.storage.commit_settings import USER_METADATA, commit_settings
from clickscore.storage.erasures import ERASURES, RETENTION, Erasures, Request, newest_version
from clickscore.storage.maintenance import NAME_WIDTH
from clickscore.storage.protocol import check_changeable, check_readable, check_writable
from clickscore.storage.table import Table

_HOW = "with jobs/maintain_tables.py"


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, dry_run: bool = False,
    now: datetime | None = None,
) -> None:  # fmt: skip
    """Remove the rows that are older than ``retention`` says; without the section, nothing happens.

    Rows of a micro-batch that is not done stay, as the next start of the stream looks for them.

    Args:
        config: the run.
        make_session: builds the session.
        console: where the counts go.
        dry_run: say what would be removed, and change nothing.
        now: the moment from which ages are counted; None is that of the machine.

    Raises:
        WiringError: if an interval is too short, or checkpoint and tables do not fit; nothing is changed then.
        ErasureError: if it cannot go on. Some of it may be done; to start it again is safe.
    """
    if config.retention is None:
        return
    if problems := list(config.retention.too_short(config.deduplicate, config.outcome)):
        raise ConfigError("the configuration", problems)
    spark = make_session()
    checkpoint = read_checkpoint(spark, config.checkpoint)
    if checkpoint.stream is None or checkpoint.last_done < 0:
        return
    for table in (Table(config.output.scored), Table(config.output.rejected)):
        check_bound(spark, table, checkpoint)
    there = [rule for rule in rules(config) if rule.kept_ms is not None and rule.table.exists(spark)]
    _check(spark, config, there, checkpoint, changes=not dry_run)
    ledger = Erasures.of(spark, Table(config.output.scored), checkpoint.stream, None)
    check_readable(spark, ledger.table)
    ledger.table.check(spark, ERASURES)
    newest = ledger.newest()  # before the look at what is planned: what another job plans meanwhile ends this one
    if dry_run:
        for request in ledger.unfinished(RETENTION):
            say(console, f"Removal {request.erasure_id} is planned and not done; without --dry-run it is finished.")
    else:
        finish(spark, config, ledger, console)
    moment = now or datetime.now(timezone.utc)
    _remove(spark, _free(there, ledger, console), ledger, newest, checkpoint, moment, console, dry_run)


def finish(spark: SparkSession, config: Config, ledger: Erasures, console: Console) -> None:
    """Remove what an earlier run has planned and not removed."""
    for request in ledger.unfinished(RETENTION):
        say(
            console,
            f"An earlier run ended before removal {request.erasure_id} of old rows was done; it is finished now.",
        )
        _carry_out(spark, rules(config), request, ledger, config.checkpoint, console)


def _check(spark: SparkSession, config: Config, there: Iterable[Rule], checkpoint: Checkpoint, changes: bool) -> None:
    """Make sure that rows may be removed, and that the stream is not so far behind that its new rows would go."""
    for rule in there:
        check_bound(spark, rule.table, checkpoint)
        if changes:
            check_writable(spark, rule.table, rule.table.properties(spark))
            check_changeable(spark, rule.table, "retention removes rows", "removal")
    metrics = Table(config.output.scored).beside(stream_metrics.NAME)
    if not metrics.exists(spark):
        return
    newest = metrics.read(spark).orderBy(F.desc("batch_id")).select("batch_id", "seconds_behind").first()
    if newest and newest.seconds_behind is not None:
        behind = timedelta(seconds=newest.seconds_behind)
        if problems := [problem for rule in there if (problem := too_far_behind(rule, newest.batch_id, behind))]:
            raise ConfigError("the configuration", problems)


def _free(there: list[Rule], ledger: Erasures, console: Console) -> list[Rule]:
    """Return the rules of tables that no erasure is about to change: rows must not be planned twice."""
    held = {name: request.erasure_id for request in ledger.unfinished() for name in request.tables}
    for rule in there:
        if rule.name in held:
            warn(console, f"{rule.name}: old rows stay, as request {held[rule.name]} is planned and not done; run "
                 f"jobs/erase_visitors.py --apply again with its ids, then this job")  # fmt: skip
    return [rule for rule in there if rule.name not in held]


def _remove(
    spark: SparkSession, free: list[Rule], ledger: Erasures, newest: int, checkpoint: Checkpoint, now: datetime,
    console: Console, dry_run: bool,
) -> None:  # fmt: skip
    """Count what is too old, and plan and remove it."""
    versions = {rule.name: newest_version(spark, rule.table) for rule in free}
    found = []
    for rule in free:
        older_than = now - timedelta(milliseconds=rule.kept_ms or 0)
        rows = rule.table.read(spark, versions[rule.name])
        counts = count_old(rule, rows, older_than, checkpoint.last_done).localCheckpoint()
        [[number, files]] = counts.agg(F.coalesce(F.sum("rows"), F.lit(0)), F.count_distinct("file")).collect()
        why = f"{older_than:%Y-%m-%d %H:%M} UTC (retention.{rule.key}: {interval_text(rule.kept_ms or 0)})"
        old = f"{counted(number, 'row')} in {counted(files, 'file')}"
        say(console, f"{rule.name:<{NAME_WIDTH}} {old}, from before {why}")
        found += [(counts, number)] if number else []
    total = sum(number for _, number in found)
    if dry_run:
        say(console, f"Nothing has changed; without --dry-run, {counted(total, 'row')} would be removed.")
    elif found:
        counts = reduce(DataFrame.unionByName, [counts for counts, _ in found])
        erasure_id = ledger.plan(as_planned(counts), versions, None, newest)
        names = tuple(row.table_name for row in counts.select("table_name").distinct().collect())
        _carry_out(spark, free, Request(erasure_id, None, None, frozenset(), names), ledger, checkpoint.path, console)
        say(console, f"Removal {erasure_id}: {counted(total, 'row is', 'rows are')} removed.")


def _carry_out(
    spark: SparkSession, known: Iterable[Rule], request: Request, ledger: Erasures, checkpoint: str, console: Console
) -> None:
    for rule in known:
        if rule.name in request.tables:
            delete = partial(_delete, spark, rule, ledger.planned(request.erasure_id, rule.name), request)
            carry_out(spark, rule.table, delete, request, ledger, checkpoint, partial(warn, console), _HOW)


def _delete(spark: SparkSession, rule: Rule, planned: DataFrame, request: Request) -> None:
    settings = {
        USER_METADATA: json.dumps({"erasure": request.erasure_id}),
        # Rows are written anew without those that go: what a deletion vector hides would stay in the file.
        "spark.databricks.delta.delete.deletionVectors.persistent": "false",
    }
    condition = planned_rows(rule, planned, rule.table.columns(spark))
    with commit_settings(spark, settings):
        rule.table.delta(spark).delete(condition)
