"""Faults of a cluster: executors that end in the middle of predict."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.fragile import FragileSite, on_fragile
from tests.chaos.job import UnsurvivedError, wait_until
from tests.chaos.site import Fault, Site

CLUSTER = "local-cluster[2,1,1024]"
CLUSTER_PATIENCE_S = 300
"""Three Java processes, with Python workers for each, take their time to begin where there are few cores."""


class ClusterSite(FragileSite):
    """A site whose job runs on a cluster: a master and two workers, with an executor each in its own process."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site."""
        super().__init__(home, rng, f"--master {CLUSTER}")

    def begin(self) -> None:
        """Start the job, and wait until the cluster has done something."""
        self.send()
        self.start()
        wait_until(lambda: self.last_entry("commits") >= 0, "the cluster", CLUSTER_PATIENCE_S)

    def finish(self) -> None:
        """Compare with a run in a single process."""
        self.env.clear()
        super().finish()


def executor_killed(site: FragileSite) -> float:
    """SIGKILL of the executor whose worker predicts."""
    job = site.running()
    with site.predicting() as worker:
        executors = [process for process in worker.parents() if process in job.executors()]
        if len(executors) != 1:
            raise UnsurvivedError(f"{worker} is not the worker of an executor")
        executors[0].kill()
    return time.monotonic()


def all_executors_killed(site: FragileSite) -> float:
    """SIGKILL of all executors at once, in the middle of predict."""
    job = site.running()
    with site.predicting():
        for executor in job.executors():
            executor.kill()
    return time.monotonic()


@contextmanager
def executors_site(home: Path, rng: random.Random) -> Iterator[Site]:
    """Open a site with a cluster that is at work."""
    site = ClusterSite(home, rng)
    try:
        site.begin()
        yield site
    finally:
        site.close()


FAULTS: dict[str, Fault] = {
    "executor killed in predict": on_fragile(executor_killed),
    "all executors killed in predict": on_fragile(all_executors_killed),
}
