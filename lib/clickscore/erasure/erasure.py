"""An erasure: the rows of visitors are found, written down in the ledger, and taken out of the tables.

No commit changes two tables. What is to be erased is planned in the ledger first, with the number of rows of each
visitor, source and micro-batch; then each table loses them in one commit; then the ledger says so. The next erasure of
the same visitors finishes what was killed in between.
"""

from collections.abc import Callable
from datetime import datetime, timezone
from functools import partial, reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.run import Config
from clickscore.console import counted, warn
from clickscore.erasure import retention, wiring
from clickscore.erasure.deletion import delete
from clickscore.erasure.unreached import unreached
from clickscore.erasure.visitor_outcomes import all_holders
from clickscore.erasure.visitor_rows import NUMBER, Holder, count_rows
from clickscore.erasure.wiring import Wiring
from clickscore.errors import ErasureError
from clickscore.reconciliation.audit_report import say
from clickscore.storage import turns
from clickscore.storage.erasures import Erasures, Request, newest_version

NAME_WIDTH = 16
MOST_NAMED = 5
"""Places of ids without rows that are named."""


def run(
    config: Config, make_session: Callable[[], SparkSession], console: Console, given: dict[str, str],
    reference: str | None, is_applied: bool,
) -> None:  # fmt: skip
    """Find the rows of visitors and, if it is to be applied, take them out of the tables.

    Args:
        config: the run.
        make_session: builds the session.
        console: where the counts go; no id is among them.
        given: id of a visitor to where it was given.
        reference: who asked, for the ledger.
        is_applied: whether anything is changed.

    Raises:
        WiringError: if keys, checkpoint or tables do not fit; nothing is changed then.
        ErasureError: if it cannot go on. Some of it may be done; to start it again with the same ids is safe.
    """
    key = wiring.need_ledger_key(config)
    spark = make_session()
    site = wiring.check(spark, config, given, changes=is_applied)
    ledger, known = site.ledger(spark, key), site.visitors.hashes(key)
    hashes = spark.createDataFrame([*enumerate(known)], f"{NUMBER} INT, visitor_hash STRING")
    find_tables = partial(all_holders, spark, config, site.contract, site.visitors, key)
    tables = find_tables()

    def erase_late(late: list[Holder]) -> int:
        """Erase from tables that a request does not have, before its clicks go; return how many more were planned.

        The first run of a join makes its table: if it did so since the request was planned, it may have read them.
        """
        versions = {holder.name: newest_version(spark, holder.table) for holder in late}
        if not late or (counts := _count(spark, late, versions, hashes)).isEmpty():
            return 0
        more = _plan(ledger, counts, versions, reference, ledger.newest(), known)
        _carry_out(spark, late, more, ledger, hashes, config.checkpoint, console)
        return 1

    newest = ledger.newest()  # before the look at what is planned: what another job plans meanwhile ends this one
    if is_applied:
        retention.finish(spark, config, ledger, console)
    for request in ledger.unfinished():
        if request.visitors.isdisjoint(known) and request.key_id == ledger.key_id:
            warn(
                console,
                f"request {request.erasure_id} is planned and not done; run jobs/erase_visitors.py --apply with the "
                f"same ids",
            )
        elif not request.visitors <= set(known):
            raise _unable_to_finish(request, ledger)
        elif is_applied:
            say(console, f"An earlier run ended before request {request.erasure_id} was done; it is finished now.")
            is_planned = partial(ledger.has_planned, request.erasure_id)
            newest += erase_late([holder for holder in tables if holder.awaited and not is_planned(holder.name)])
            _carry_out(spark, tables, request, ledger, hashes, config.checkpoint, console)
        else:
            say(console, f"Request {request.erasure_id} is planned and not done; --apply finishes it.")
    versions = {holder.name: newest_version(spark, holder.table) for holder in tables}
    counts = _count(spark, tables, versions, hashes)
    total = _show(console, counts, tables, site, known)
    if not is_applied:
        say(console, f"Nothing has changed; with --apply, {counted(total, 'row')} would be erased.")
    elif total:
        request = _plan(ledger, counts, versions, reference, newest, known)
        erase_late([holder for holder in find_tables() if holder.name not in versions])
        _carry_out(spark, tables, request, ledger, hashes, config.checkpoint, console)
        say(console, f"Request {request.erasure_id}: {counted(total, 'row is', 'rows are')} erased.")
    if total:
        say(console, "Not reached:")
        for line in unreached(spark, config, [holder.table for holder in tables], datetime.now(timezone.utc)):
            say(console, f"  - {line}")


def _unable_to_finish(request: Request, ledger: Erasures) -> ErasureError:
    """Return why nothing can be planned: its rows would be counted twice, and the audit would miss as many others."""
    begin = f"{ledger.table.name}: request {request.erasure_id} is planned and not done"
    if request.key_id != ledger.key_id:
        return ErasureError(
            f"{begin}, under the key {request.key_id}; the key of this run is {ledger.key_id}. Nothing was changed; "
            f"name the key of the request in erasure.key, and start it again with its ids."
        )
    return ErasureError(
        f"{begin}; it has some of these visitors, and others. Nothing was changed; start it again with all its ids."
    )


def _carry_out(
    spark: SparkSession, tables: list[Holder], request: Request, ledger: Erasures, hashes: DataFrame, checkpoint: str,
    console: Console,
) -> None:  # fmt: skip
    for holder in tables:
        if holder.awaited and holder.name in request.tables:  # before the first row of any table goes
            turns.take(spark, holder.table)
    for holder in tables:
        if holder.name in request.tables:
            delete(spark, holder, request, ledger, hashes, checkpoint, partial(warn, console))


def _count(spark: SparkSession, tables: list[Holder], versions: dict[str, int], hashes: DataFrame) -> DataFrame:
    """Return how many rows the visitors have in some tables, and their units that a join may be about to write."""
    found = [
        count_rows(holder.find(holder.table.read(spark, versions[holder.name])), holder, hashes) for holder in tables
    ]
    return reduce(partial(DataFrame.unionByName, allowMissingColumns=True), found).localCheckpoint()


def _plan(
    ledger: Erasures, counts: DataFrame, versions: dict[str, int], reference: str | None, newest: int, known: list[str]
) -> Request:
    erasure_id = ledger.plan(counts, versions, reference, newest)
    names = [row.table_name for row in counts.select("table_name").distinct().collect()]
    return Request(erasure_id, reference, ledger.key_id, frozenset(known), tuple(names))


def _show(console: Console, counts: DataFrame, tables: list[Holder], site: Wiring, known: list[str]) -> int:
    """Print how many rows there are in each table, and whose ids have none; return how many rows in all."""
    there = counts.where("rows > 0")
    sums = there.groupBy("table_name").agg(
        F.sum("rows"), F.count_distinct("batch_id"), F.count_distinct("visitor_hash")
    )
    by_table = {row[0]: tuple(row)[1:] for row in sums.collect()}
    for holder in tables:
        rows, batches, visitors = by_table.get(holder.name, (0, 0, 0))
        where = f" in {counted(batches, 'micro-batch', 'micro-batches')}" if holder.known_by is None else ""
        say(console, f"{holder.name:<{NAME_WIDTH}} {counted(rows, 'row')} of {counted(visitors, 'visitor')}{where}")
    named = {row[0] for row in there.select("visitor_hash").distinct().collect()}
    absent = [place for place, known_as in zip(site.visitors.places, known, strict=True) if known_as not in named]
    if absent:
        more = ", ..." if len(absent) > MOST_NAMED else ""
        all_of_them = counted(len(known), "visitor has", "visitors have")
        say(console, f"{len(absent):,} of {all_of_them} no row: {', '.join(absent[:MOST_NAMED])}{more}")
    return sum(rows for rows, _, _ in by_table.values())
