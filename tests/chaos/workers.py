"""Faults of the workers: Python workers that end in the middle of predict, or run out of memory.

Out of memory is tried in two ways. A limit of address space on the workers, ``spark.executor.pyspark.memory``, is the
real one: the model really asks for more and gets a MemoryError. The kernel's answer, SIGKILL for the process that has
too much, is imitated by a model that sends it to itself once it has taken a lot: for a real one, the suite would have
to bring the whole machine, or a cgroup that it is not always allowed to make, to its limit.
"""

import json
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from tests.chaos.fragile import DOOMED, HUNGRY, FragileSite, on_fragile
from tests.chaos.job import UnsurvivedError
from tests.chaos.site import Fault, Site
from tests.chaos.witness import REJECTED, SCORED, rows

MEMORY = "3g"
"""Address space of a worker: libraries map much more of it than they use."""


def worker_killed(site: FragileSite) -> float:
    """SIGKILL of the Python worker that predicts."""
    job = site.running()
    with site.predicting() as worker:
        if worker not in job.python_workers():
            raise UnsurvivedError(f"{worker} is no Python worker of the job")
        worker.kill()
    return time.monotonic()


def worker_killed_again(site: FragileSite) -> float:
    """SIGKILL of the worker and, as the micro-batch is scored once more, of the process that predicts then."""
    site.running()
    with site.predicting() as worker:
        worker.kill()
        worker.wait()
        (site.home / "held").unlink()  # it may be the next one's already, which writes it again and again
        site.held_process().kill()
    return time.monotonic()


def all_workers_killed(site: FragileSite) -> float:
    """SIGKILL of all Python workers, busy and idle, and of the daemon that they are forked from."""
    job = site.running()
    with site.predicting() as worker:
        daemon = worker.parent()
        assert daemon
        for process in [daemon, *job.python_workers()]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    return time.monotonic()


def out_of_memory(price: float, text: str) -> Callable[[FragileSite], float]:
    """Return the fault: the model takes too much memory for one click, which is rejected for it."""

    def exhaust(site: FragileSite) -> float:
        site.running()
        marked = site.send_marked(price)
        moment = time.monotonic()
        site.sent[SCORED, json.loads(marked)["id"]] -= 1
        site.sent[REJECTED, marked] += 1
        site.settle()
        recovered = time.monotonic() - moment
        found = [
            row[1:] for row in rows(site.tables, "rejected_clicks", ["raw", "reason", "detail"]) if row[0] == marked
        ]
        if len(found) != 1 or found[0][0] != "scoring_failed" or text not in str(found[0][1]):
            raise UnsurvivedError(f"expected the click to have failed with {text!r}, found {found}")
        return time.monotonic() - recovered

    return exhaust


def workers_site(home: Path, rng: random.Random) -> Site:
    """Make a site whose Python workers have a limit of memory."""
    return FragileSite(home, rng, f"--conf spark.executor.pyspark.memory={MEMORY}")


FAULTS: dict[str, Fault] = {
    name: on_fragile(fault)
    for name, fault in {
        "Python worker killed in predict": worker_killed,
        "Python worker killed twice in a micro-batch": worker_killed_again,
        "all Python workers killed in predict": all_workers_killed,
        "out of memory in predict: MemoryError": out_of_memory(HUNGRY, "MemoryError"),
        "out of memory in predict: killed": out_of_memory(DOOMED, "ended its process"),
    }.items()
}
