"""Faults of the tables: what others do to them, by a writer that is not Spark, while the job appends to them.

The others are polite: they commit as Delta wants it, and try again when the job was faster. Two things are known to be
forbidden, and hence not here. VACUUM with a retention of 0 deletes, by definition, files that a micro-batch has written
and not yet committed: it is done only while the job is at rest. And on a file system without an atomic rename that
fails where a file is, such as a local disk for Hadoop, the log store of Spark might go over the commit of another
process in the moment between its look and its rename.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from deltalake import DeltaTable, Field
from deltalake.exceptions import CommitFailedError
from deltalake.schema import PrimitiveType
from tests.chaos.job import UnsurvivedError, wait_until
from tests.chaos.site import Fault, Site
from tests.chaos.witness import REJECTED, SCORED, rows

TRAFFIC_S = 0.3
"""Between two files: the job plans a micro-batch as soon as the last one is done, so it is never at rest."""
TRAFFIC_CLICKS, TRAFFIC_RUBBISH = 10, 1
ROUNDS = 2
"""How often an operation is done in a trial; each time, micro-batches go on afterwards."""
WRITING_S = 90
PAUSE_S = 2
PATIENCE = 20
"""How often a writer that came second tries again."""
ERASED = 2
NAMES = ("scored_clicks", "rejected_clicks")

Operation = Callable[[Site], None]


def while_writing(operation: Operation) -> Fault:
    """Return the fault: an operation at random moments, while the job writes micro-batches without a pause."""

    def disturb(site: Site) -> float:
        site.running()
        planned = site.last_entry("offsets")
        with ThreadPoolExecutor(1) as aside:
            site.send(TRAFFIC_CLICKS, TRAFFIC_RUBBISH)
            wait_until(lambda: site.last_entry("offsets") > planned, "a micro-batch", WRITING_S)
            disturbing = aside.submit(_again_and_again, operation, site)
            while not disturbing.done():
                site.send(TRAFFIC_CLICKS, TRAFFIC_RUBBISH)
                time.sleep(TRAFFIC_S)
            disturbing.result()
        site.send()
        return time.monotonic()

    return disturb


def _again_and_again(operation: Operation, site: Site) -> None:
    for _ in range(ROUNDS):
        time.sleep(site.rng.uniform(0, PAUSE_S))
        operation(site)
        _wait_for_next(site)


def _wait_for_next(site: Site) -> None:
    done = site.last_entry("commits")
    wait_until(lambda: site.last_entry("commits") > done, "the next micro-batch", WRITING_S)


def _patiently(act: Callable[[], object]) -> None:
    for _ in range(PATIENCE):
        try:
            act()
        except CommitFailedError:  # the job was faster
            continue
        return
    raise UnsurvivedError(f"another writer has come second {PATIENCE} times")


def _table(site: Site, name: str) -> DeltaTable:
    return DeltaTable(str(site.tables / name))


def compacted(site: Site) -> None:
    """OPTIMIZE: small files become larger ones."""
    for name in NAMES:
        _patiently(partial(_compact, site, name))


def _compact(site: Site, name: str) -> None:
    _table(site, name).optimize.compact()


def vacuumed(site: Site) -> None:
    """VACUUM with the retention that is the default: files of micro-batches in flight are too young for it."""
    for name in NAMES:
        _table(site, name).vacuum(dry_run=False)


def vacuumed_to_the_ground(site: Site) -> float:
    """OPTIMIZE and VACUUM of all that is not part of the newest version, while the job is at rest."""
    site.running()
    compacted(site)
    for name in NAMES:
        gone = _table(site, name).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        if not gone:
            raise UnsurvivedError(f"there was nothing to delete in {name}")
    site.send()
    return time.monotonic()


def erased(site: Site) -> None:
    """DELETE of a few clicks and a few rejected records, as somebody whose they are may ask for."""
    for kind, name, column in ((SCORED, "scored_clicks", "id"), (REJECTED, "rejected_clicks", "raw")):
        there = sorted(str(value) for (value,) in rows(site.tables, name, [column]))
        chosen = site.rng.sample(there, min(len(there), ERASED))
        _patiently(partial(_delete, site, name, f"{column} IN ({', '.join(map(repr, chosen))})"))
        for value in chosen:
            site.erased[kind, value] += site.sent.pop((kind, value))


def _delete(site: Site, name: str, where: str) -> None:
    _table(site, name).delete(where)


def widened(site: Site) -> None:
    """ADD COLUMN: the job goes on without it."""
    for name in NAMES:
        _patiently(partial(_add_column, site, name))


def _add_column(site: Site, name: str) -> None:
    table = _table(site, name)
    column = f"added_{len(table.schema().fields)}"
    table.alter.add_columns([Field(column, PrimitiveType("string"))])


FAULTS: dict[str, Fault] = {
    "OPTIMIZE while the job writes": while_writing(compacted),
    "VACUUM while the job writes": while_writing(vacuumed),
    "OPTIMIZE and VACUUM RETAIN 0 HOURS at rest": vacuumed_to_the_ground,
    "DELETE of records while the job writes": while_writing(erased),
    "ADD COLUMN while the job writes": while_writing(widened),
}
