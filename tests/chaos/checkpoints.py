"""Faults of the checkpoint: entries that are gone or cut off, and checkpoints that are gone or too old."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.drivers import POINT_PATIENCE_S, Points
from tests.chaos.job import UnsurvivedError, wait_until
from tests.chaos.site import Fault, Site


def _remove(entry: Path) -> None:
    entry.unlink(missing_ok=True)
    entry.with_name(f".{entry.name}.crc").unlink(missing_ok=True)


def stopped(site: Site) -> None:
    """Stop the job, with all that was sent in the tables."""
    job = site.running()
    wait_until(lambda: site.last_entry("offsets") == site.last_entry("commits"), "the commit log", POINT_PATIENCE_S)
    if status := job.stop():
        raise UnsurvivedError(f"exit status {status} after SIGTERM: {job.last_words()}")


def commit_entry_gone(site: Site) -> float:
    """The last entry of the commit log is deleted: its micro-batch is looked at again."""
    stopped(site)
    _remove(site.checkpoint / "commits" / str(site.last_entry("commits")))
    moment = time.monotonic()
    site.start()
    site.send()
    return moment


def cut_off(log: str) -> Fault:
    """Return the fault: the last entry of a log loses its end, or all of it, and then comes back from a copy."""

    def cut(site: Site) -> float:
        stopped(site)
        entry = site.checkpoint / log / str(site.last_entry(log))
        whole = entry.read_bytes()
        # Hadoop keeps a checksum beside it, which may have come through the power cut, or not.
        checksum = entry.with_name(f".{entry.name}.crc")
        sum_of_whole = checksum.read_bytes()
        if site.rng.random() < 1 / 2:
            checksum.unlink()
        entry.write_bytes(whole[: site.rng.choice([0, site.rng.randrange(len(whole) - 2)])])
        moment = time.monotonic()
        site.refused(f"{log}/{entry.name} is damaged")
        if log == "commits":
            _remove(entry)  # as the message says
        else:
            entry.write_bytes(whole)
            checksum.write_bytes(sum_of_whole)
        site.start()
        site.send()
        return moment

    return cut


def planned_and_cut_off(site: Site) -> float:
    """A power cut right after the offset log: its entry is empty, no table holds the micro-batch, it can be deleted."""
    for _ in range(4):
        job = site.running()
        points = Points(site, job)
        site.send()
        points.wait("offset log")
        job.kill()
        moment = time.monotonic()
        entry = site.checkpoint / "offsets" / str(points.batch)
        entry.with_name(f".{entry.name}.crc").unlink(missing_ok=True)
        whole = entry.read_bytes()
        entry.write_bytes(b"")
        if site.account().is_settled:  # the kill came too late, and the tables have it
            entry.write_bytes(whole)
            site.start()
            site.settle()
            continue
        site.refused("delete the file, and it is planned again")
        entry.unlink()
        site.start()
        return moment
    raise UnsurvivedError("four times, the micro-batch was in the tables before the kill came")


def displaced(replace: Callable[[Site, Path], object], text: str) -> Fault:
    """Return the fault: the checkpoint is replaced, which must be refused, and then comes back."""

    def displace(site: Site) -> float:
        stopped(site)
        older = site.home / "older"
        shutil.rmtree(older, ignore_errors=True)
        shutil.copytree(site.checkpoint, older)
        site.send()
        site.running()
        stopped(site)
        aside = site.home / "aside"
        site.checkpoint.rename(aside)
        replace(site, older)
        moment = time.monotonic()
        site.send()
        try:
            site.refused(text)
        finally:
            shutil.rmtree(site.checkpoint, ignore_errors=True)
            aside.rename(site.checkpoint)
        site.start()
        return moment

    return displace


FAULTS: dict[str, Fault] = {
    "last commit-log entry deleted": commit_entry_gone,
    "offset log cut off": cut_off("offsets"),
    "commit log cut off": cut_off("commits"),
    "offset log empty after a power cut": planned_and_cut_off,
    "checkpoint deleted": displaced(lambda _site, _older: None, "is new: clicks that"),
    "older copy of the checkpoint": displaced(
        lambda site, older: shutil.move(older, site.checkpoint), "it is an older copy"
    ),
}
