"""Faults of silence: Python workers that neither read nor answer, which Spark alone would wait for for ever.

A connection that stops for good, as loopback TCP can, cannot be made without a firewall's rights. A worker that is
stopped before it has read anything is the same for Spark: it has written until the socket was full, can write no more,
and nothing comes back.
"""

import random
import time
from contextlib import suppress
from pathlib import Path

import psutil
from tests.chaos.fragile import FragileSite, on_fragile
from tests.chaos.job import Job, UnsurvivedError, wait_until
from tests.chaos.site import Fault, Site

LIMIT_S = 100
"""Silence after which a worker is ended: enough to load this model on a busy machine. A run's own limit is minutes."""
MORE_THAN_FITS = 30_000
"""Clicks of a file that a socket cannot hold, at a hundred bytes each: it takes some hundred kilobytes."""
ENDED_PATIENCE_S = LIMIT_S + 60
TOLD = "and was ended; batch "


def stopped_in_predict(site: FragileSite) -> float:
    """SIGSTOP of the Python worker that predicts; nobody lets it go on."""
    job = site.running()
    told = job.said.count(TOLD)
    with site.predicting() as worker:
        if worker not in job.python_workers():
            raise UnsurvivedError(f"{worker} is no Python worker of the job")
        worker.suspend()
    moment = time.monotonic()
    _wait_for_end(job, told)
    return moment


def socket_blocked(site: FragileSite) -> float:
    """SIGSTOP of all idle Python workers; then more clicks arrive than their sockets hold."""
    job = site.running()
    told = job.said.count(TOLD)
    for worker in job.python_workers():
        with suppress(psutil.NoSuchProcess):
            worker.suspend()
    site.send(MORE_THAN_FITS)
    moment = time.monotonic()
    _wait_for_end(job, told)
    return moment


def _wait_for_end(job: Job, told: int) -> None:
    wait_until(lambda: job.said.count(TOLD) > told or not job.is_alive, "a silent worker to be ended", ENDED_PATIENCE_S)


def silent_site(home: Path, rng: random.Random) -> Site:
    """Make a site whose silent Python workers are ended soon."""
    return FragileSite(
        home, rng, f"--conf spark.python.worker.idleTimeoutSeconds={LIMIT_S} "
                   f"--conf spark.python.worker.killOnIdleTimeout=true"
    )  # fmt: skip


FAULTS: dict[str, Fault] = {
    name: on_fragile(fault)
    for name, fault in {
        "Python worker stopped in predict": stopped_in_predict,
        "socket of a Python worker blocked": socket_blocked,
    }.items()
}
