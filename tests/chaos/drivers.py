"""Faults of the driver: killed at every point where something becomes durable, stopped, paused, started twice."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.job import Job, UnsurvivedError, wait_until
from tests.chaos.site import Fault, Site
from tests.chaos.witness import rows

OUTPUTS = ("scored_clicks", "rejected_clicks")
NOTICE_S = 0.0005
"""Between two looks for a new file: what comes next takes the job a hundred times as long."""
POINT_PATIENCE_S = 60
RANDOM_KILL_S = 2.5
"""Longest time between the arrival of records and a kill at a random moment: a micro-batch takes less."""
START_S = 5, 20
"""When a start is killed: it takes about 20 s, and has touched nothing in the first five."""
ZOMBIE_PATIENCE_S = 90


class Points:
    """The points of the next micro-batch, each with how it shows from outside."""

    def __init__(self, site: Site, job: Job) -> None:
        """Look where the job is now."""
        self.batch = max(site.last_entry("offsets"), site.last_entry("commits")) + 1
        self._job = job
        logs = {
            table: site.tables / table / "_delta_log"
            for table in ("scored_clicks", "rejected_clicks", "model_timeline")
        }
        commits = {table: log / f"{site.last_version(table) + 1:020}.json" for table, log in logs.items()}
        offsets = site.checkpoint / "offsets" / str(self.batch)
        self.reached: dict[str, Callable[[], bool]] = {
            "offset log": offsets.exists,
            "pin": commits["model_timeline"].exists,
            "scored": commits["scored_clicks"].exists,
            "rejected": commits["rejected_clicks"].exists,
            "commit log": lambda: f"batch {self.batch:>4} " in job.said,
        }  # fmt: skip

    def wait(self, point: str) -> None:
        """Wait for a point."""
        wait_until(
            lambda: self.reached[point]() or not self._job.is_alive, f"the point {point}", POINT_PATIENCE_S, NOTICE_S
        )
        if not self._job.is_alive:
            raise UnsurvivedError(f"the job has ended before the point {point}: {self._job.last_words()}")


FINDINGS = {
    "offset log": "planned, ",
    "pin": "planned, {pinned}",
    "scored": "planned, {pinned}scored, ",
    "rejected": "planned, {pinned}scored, rejected, ",
    "commit log": "planned, {pinned}scored, rejected, ",
}
"""What a micro-batch must have left behind, and nothing more, for a kill to count as one at a point."""
ATTEMPTS = 4
MOVES = 1 / 2
"""Share of the kills that hit a micro-batch for which the model changes, so that the kill may come around the pin."""


def left_behind(site: Site, batch: int, pins: int) -> str:
    """Tell what is durable of a micro-batch, from the files alone."""
    logs = {"planned": "offsets", "done": "commits"}
    found = [word for word, log in logs.items() if (site.checkpoint / log / str(batch)).exists()]
    if site.last_version("model_timeline") > pins:
        found.append("pinned")
    found += [word for word in ("scored", "rejected") if _holds(site.tables / f"{word}_clicks", batch)]
    return "".join(f"{word}, " for word in found)


def _holds(table: Path, batch: int) -> bool:
    return any(f'\\"batch\\": {batch}}}' in log.read_text() for log in (table / "_delta_log").glob("*.json"))


def killed_at(point: str) -> Fault:
    """Return the fault: SIGKILL as soon as a micro-batch has reached a point."""

    def kill(site: Site) -> float:
        for _ in range(ATTEMPTS):
            job = site.running()
            moves = point == "pin" or site.rng.random() < MOVES
            if moves:
                site.move_alias()
            points, pins = Points(site, job), site.last_version("model_timeline")
            site.send()
            points.wait(point)
            job.kill()
            moment = time.monotonic()
            found = left_behind(site, points.batch, pins)
            if moves and site.rng.random() < 1 / 2:
                site.point_alias_elsewhere()  # a promise must hold all the same
            site.start()
            if found == FINDINGS[point].format(pinned="pinned, " if moves else ""):
                return moment
            site.settle()  # the kill came too late; it was a kill all the same
        raise UnsurvivedError(f"the point {point} was missed {ATTEMPTS} times; the last time there was {found}")

    return kill


def killed_at_random(site: Site) -> float:
    """SIGKILL at some moment after records have arrived."""
    job = site.running()
    site.send()
    return site.kill(job, site.rng.uniform(0, RANDOM_KILL_S))


def killed_while_starting(site: Site) -> float:
    """SIGKILL at some moment of a start that has an interrupted micro-batch to deal with."""
    killed_at_random(site)
    assert site.job
    return site.kill(site.job, site.rng.uniform(*START_S))


def asked_to_stop(site: Site) -> float:
    """SIGTERM: a micro-batch that has begun is finished, and the exit status is 0."""
    job = site.running()
    site.send()
    time.sleep(site.rng.uniform(0, RANDOM_KILL_S))
    moment = time.monotonic()
    if status := job.stop():
        raise UnsurvivedError(f"exit status {status} after SIGTERM: {job.last_words()}")
    # One that Spark has planned, but that had not begun, is left to the next start; of it, nothing may be in a table.
    done = site.last_entry("commits")
    begun = [batch for name in OUTPUTS for (batch,) in rows(site.tables, name, ["batch_id"]) if int(str(batch)) > done]
    if begun:
        raise UnsurvivedError(f"SIGTERM has left micro-batch {begun[0]} unfinished: its rows are in a table")
    site.start()
    return moment


def paused_and_replaced(site: Site) -> float:
    """SIGSTOP in the middle of a micro-batch; a second driver takes over; the first one wakes up again."""
    paused = site.running()
    if site.rng.random() < 1 / 2:
        site.move_alias()
    points = Points(site, paused)
    point = site.rng.choice(["offset log", "scored", "rejected"])
    site.send()
    points.wait(point)
    time.sleep(site.rng.uniform(0, 0.5))
    paused.pause()
    moment = time.monotonic()
    try:
        site.start()
        site.settle()
        recovered = time.monotonic() - moment
        site.send()
    finally:
        paused.resume()
    status = paused.end(ZOMBIE_PATIENCE_S)
    if status != 1:
        raise UnsurvivedError(f"the driver that was replaced ended with {status}: {paused.last_words()}")
    site.settle()
    return time.monotonic() - recovered


def started_twice(site: Site) -> float:
    """A second driver on the same checkpoint while the first is at work: one of them ends, and nothing is doubled."""
    first = site.running()
    moment = time.monotonic()
    second = site.launch()
    while first.is_alive and second.is_alive:
        if time.monotonic() - moment > ZOMBIE_PATIENCE_S:
            raise UnsurvivedError("two drivers have lived side by side")
        site.send()
        time.sleep(1)
    ended, site.job = (first, second) if second.is_alive else (second, first)
    if ended.end() not in (1, 2):
        raise UnsurvivedError(f"the driver that gave way ended with {ended.process.returncode}: {ended.last_words()}")
    site.send()
    return time.monotonic()


FAULTS: dict[str, Fault] = {
    "driver killed after the offset log": killed_at("offset log"),
    "driver killed after the pin": killed_at("pin"),
    "driver killed after scored": killed_at("scored"),
    "driver killed after rejected": killed_at("rejected"),
    "driver killed before the commit log": killed_at("commit log"),
    "driver killed at a random moment": killed_at_random,
    "driver killed while it starts": killed_while_starting,
    "SIGTERM": asked_to_stop,
    "driver paused, replaced, resumed": paused_and_replaced,
    "two drivers on one checkpoint": started_twice,
}
QUICK = ("driver killed after scored", "driver killed before the commit log", "driver killed at a random moment")
