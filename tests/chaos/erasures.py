"""Faults of an erasure: its process is killed in each of its steps, beside the stream, and is started again."""

import json
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
from deltalake import DeltaTable
from tests.chaos.job import POLL_S, Job, UnsurvivedError, wait_until
from tests.chaos.site import Fault, Site
from tests.chaos.witness import REJECTED, SCORED, rows

KEY = "c0ffee11" * 8
CLICKS = 5
"""Clicks of a visitor who is erased; one record more is rejected."""
TRAFFIC_S = 1.0
"""Between two files that arrive while a visitor is erased: a commit of the stream takes about as long."""
TRAFFIC_CLICKS, TRAFFIC_RUBBISH = 10, 1
STEP_PATIENCE_S = 180
DELETION_S = 3.0
"""Longest time between the plan and a kill in the middle of the deletion, which takes about as long."""
RETENTION = "delta.deletedFileRetentionDuration"
NO_RETENTION, USUAL_RETENTION = {RETENTION: "interval 0 seconds"}, {RETENTION: "interval 1 week"}
"""Without any, old files may go at once, and no job may read a version beside a stream that writes the next one."""
NAMES = ("scored_clicks", "rejected_clicks")
LEDGER = "erasures"


class ErasureSite(Site):
    """A site with visitors who ask to be erased."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site, and a key for its ledger."""
        home.mkdir(parents=True)
        (home / "erasure.key").write_text(KEY)
        super().__init__(home, rng, erasure={"key": f"file:{home / 'erasure.key'}"})
        self.gone: list[str] = []

    @property
    def ids(self) -> Path:
        """The file with the id of the visitor who asks now."""
        return self.home / "ids.txt"

    def welcome(self) -> None:
        """Let a visitor come who will ask; all rows of that visitor are in the tables afterwards."""
        visitor = f"visitor!{len(self.gone)}"
        self.gone.append(visitor)
        click = {"at": "2026-03-01T12:00:00Z", "visitor": visitor, "price": 1.5, "quantity": 1}
        clicks = [json.dumps({"id": f"{visitor}-{number}", **click}) for number in range(CLICKS)]
        rejected = json.dumps({"id": f"{visitor}-no", **click, "quantity": "many"})
        asked = [*((SCORED, f"{visitor}-{number}") for number in range(CLICKS)), (REJECTED, rejected)]
        self.sent.update(asked)
        self.land([*clicks, rejected])
        self.ids.write_text(f"{visitor}\n")
        self.settle()
        for key in asked:  # from now on, they need not be there
            self.erased[key] += self.sent.pop(key)

    def erasing(self, *arguments: str) -> Job:
        """Start an erasure of that visitor."""
        options = ("--ids", str(self.ids), *arguments)
        return Job(self.config, self.home / "erasure.log", *options, env=self.env, script="erase_visitors")

    def ended(self, job: Job, status: int = 0) -> None:
        """Make sure that a job ends with an exit status."""
        if job.end() != status:
            raise UnsurvivedError(f"it ended with {job.process.returncode}: {job.last_words()}")

    def look_for_rows(self) -> None:
        """Make sure that no row names a visitor who was erased."""
        for visitor in self.gone:
            left = [row for row in rows(self.tables, "scored_clicks", ["visitor"]) if row[0] == visitor]
            left += [row for row in rows(self.tables, "rejected_clicks", ["raw"]) if visitor in str(row[0])]
            if left:
                raise UnsurvivedError(f"there is still {left[0]}")

    def finish(self) -> None:
        """Make sure, after all faults, that the audit explains what is missing, and that nothing else is."""
        self.running()
        self.ended(Job(self.config, self.home / "audit.log", env=self.env, script="audit"))
        super().finish()


def commits(site: Site, table: str, number: int) -> int:
    """Count the commits of a table that belong to an erasure."""
    mark = f'\\"erasure\\": {number}}}'
    return sum(mark in log.read_text() for log in (site.tables / table / "_delta_log").glob("*.json"))


Reached = Callable[[Site, int], bool]
"""Tells whether an erasure has come to a step, by the files alone."""


STEPS: dict[str, Reached] = {
    "the plan": lambda site, number: commits(site, LEDGER, number) > 0,
    "the first deletion": lambda site, number: commits(site, NAMES[0], number) > 0,
    "the first table": lambda site, number: commits(site, LEDGER, number) > 1,
    "the second deletion": lambda site, number: commits(site, NAMES[1], number) > 0,
    "the second table": lambda site, number: commits(site, LEDGER, number) > 2,
}
"""What is durable then, in this order; the next step follows within a second or two."""


def killed_after(step: str, longest_s: float = 0.0) -> Fault:
    """Return the fault: SIGKILL some time after an erasure has come to a step, while the stream writes."""

    def kill_and_start_again(site: ErasureSite) -> float:
        number = 1 + max((int(str(row[0])) for row in rows(site.tables, LEDGER, ["erasure_id"])), default=0)
        first = site.erasing("--apply")
        wait_until(lambda: STEPS[step](site, number) or not first.is_alive, step, STEP_PATIENCE_S, POLL_S)
        time.sleep(site.rng.uniform(0, longest_s))
        first.kill()
        if not STEPS[step](site, number):
            raise UnsurvivedError(f"the erasure has ended before {step}: {first.last_words()}")
        moment = time.monotonic()
        site.ended(site.erasing("--apply"))
        return moment

    def disturb(site: Site) -> float:
        assert isinstance(site, ErasureSite)
        site.running()
        site.welcome()
        with ThreadPoolExecutor(1) as aside:
            erasing = aside.submit(kill_and_start_again, site)
            while not erasing.done():
                site.send(TRAFFIC_CLICKS, TRAFFIC_RUBBISH)
                time.sleep(TRAFFIC_S)
        moment = erasing.result()  # first, as rows stay where the erasure has failed
        site.look_for_rows()
        return moment

    return disturb


def killed_while_it_finishes(site: Site) -> float:
    """SIGKILL within ``--finish``, when it has begun to delete old files; the stream is at rest, as these are young."""
    assert isinstance(site, ErasureSite)
    site.running()
    site.welcome()
    site.ended(site.erasing("--apply"))
    _keep_old_files(site, NO_RETENTION)
    begun = _vacuums(site)
    first = site.erasing("--finish")
    wait_until(lambda: _vacuums(site) > begun or not first.is_alive, "VACUUM", STEP_PATIENCE_S, POLL_S)
    first.kill()
    if _vacuums(site) == begun:
        raise UnsurvivedError(f"it has ended before VACUUM: {first.last_words()}")
    moment = time.monotonic()
    again = site.erasing("--finish")
    site.ended(again)
    if "Nothing is left of 1 visitor." not in again.said:
        raise UnsurvivedError(f"there is no certificate: {again.last_words()}")
    _keep_old_files(site, USUAL_RETENTION)
    there = [file for name in NAMES for file in (site.tables / name).glob("*.parquet")]
    if left := [file for file in there if site.gone[-1] in str(pq.read_table(file).to_pylist())]:
        raise UnsurvivedError(f"{left[0]} still has the id")
    return moment


def _keep_old_files(site: Site, retention: dict[str, str]) -> None:
    for name in NAMES:
        DeltaTable(str(site.tables / name)).alter.set_table_properties(retention)


def _vacuums(site: Site) -> int:
    logs = (site.tables / NAMES[0] / "_delta_log").glob("*.json")
    return sum('"VACUUM START"' in log.read_text() for log in logs)


FAULTS: dict[str, Fault] = {
    "erasure killed after its plan": killed_after("the plan"),
    "erasure killed in the middle of a deletion": killed_after("the plan", DELETION_S),
    "erasure killed after the first deletion": killed_after("the first deletion"),
    "erasure killed after the first table is done": killed_after("the first table"),
    "erasure killed after the second deletion": killed_after("the second deletion"),
    "erasure killed at its end": killed_after("the second table"),
    "erasure killed while it finishes": killed_while_it_finishes,
}
