"""Faults of the clock: it is ahead or behind when the job starts again, and it jumps under the running stream.

The job runs under libfaketime, which adds to the machine's clock what stands in a file. Duplicates are looked for,
within a window of processing time, because nothing else in the stream depends on the clock as much.
"""

import json
import os
import random
import time
from pathlib import Path

from tests.chaos.checkpoints import stopped
from tests.chaos.site import CLICKS, RUBBISH, Fault, Site
from tests.chaos.witness import SCORED

LIBRARY = "libfaketimeMT.so.1"
PLACES = ("/usr/lib/*/faketime", "/usr/lib*/faketime", "/usr/local/lib*/faketime")
WEEK_AND_DAY_S, HOUR_S = 8 * 86_400, 3_600
"""The first is more than any default of Spark's remembers files for."""
WINDOW = "10 minutes"
CACHE_S = 1
"""How long the library goes without looking into the file: a look at every question for the time slows all down."""
SLEEP = "import select, time\ntime.sleep = lambda seconds: select.select([], [], [], seconds) and None\n"
"""For all Python of the job: under libfaketime 0.9.10, the call that it would sleep by fails."""
AGAIN = 5
"""Old clicks that are sent once more."""
MICRO_BATCH_S = 2
"""About what one takes, so that the clock jumps at any moment of it."""


def library() -> Path | None:
    """Return where libfaketime is, if it is installed."""
    return next((found for place in PLACES for found in Path("/").glob(f"{place[1:]}/{LIBRARY}")), None)


def missing() -> str | None:
    """Say what has to be installed before these faults can be tried."""
    return None if library() else "libfaketime is missing: apt install faketime"


class ClockSite(Site):
    """A site whose job has a clock of its own; it looks for duplicates.

    Attributes:
        recent: the clicks that were sent last.
    """

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site."""
        self.recent: list[str] = []
        super().__init__(home, rng, deduplicate={"window": WINDOW})
        self._file, self._ahead_s = home / "clock", 0
        self.turn(0)
        (home / "python").mkdir()
        (home / "python" / "sitecustomize.py").write_text(SLEEP)
        self.env = {
            "PYTHONPATH": os.pathsep.join([str(home / "python"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(CACHE_S),
            # What lasts so and so long lasts as long as ever, and files are as old as they are.
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            "NO_FAKE_STAT": "1",
        }

    def records(self, clicks: int = CLICKS, rubbish: int = RUBBISH) -> list[str]:
        lines = super().records(clicks, rubbish)
        self.recent = lines[:clicks]
        return lines

    def send_with(self, old: list[str], is_forgotten: bool) -> None:
        """Send new clicks, and old ones once more: they count again if the window has passed by the job's clock."""
        self.land(self.records() + old)
        if is_forgotten:
            self.sent.update((SCORED, json.loads(line)["id"]) for line in old)

    def turn(self, seconds: int) -> None:
        """Turn the clock of the job, forward or back."""
        self._ahead_s += seconds
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{self._ahead_s:+d}\n")
        aside.rename(self._file)

    def finish(self) -> None:
        """Compare with a run that has the machine's clock, and takes clicks as often as they come."""
        self.env = {}
        self.compare_undisturbed({"deduplicate": None})


def at_restart(seconds: int) -> Fault:
    """Return the fault: the clock is another one when the job starts again."""

    def restart(site: Site) -> float:
        assert isinstance(site, ClockSite)
        stopped(site)
        site.turn(seconds)
        moment = time.monotonic()
        site.start()
        site.send_with(site.recent[:AGAIN], is_forgotten=seconds > 0)
        return moment

    return restart


def in_mid_stream(seconds: int) -> Fault:
    """Return the fault: the clock jumps while records are being scored."""

    def jump(site: Site) -> float:
        assert isinstance(site, ClockSite)
        site.running()
        old = site.recent[:AGAIN]
        site.send()
        time.sleep(site.rng.uniform(0, MICRO_BATCH_S))
        site.turn(seconds)
        moment = time.monotonic()
        time.sleep(2 * CACHE_S)
        site.send_with(old, is_forgotten=seconds > 0)
        return moment

    return jump


FAULTS: dict[str, Fault] = {
    "restart, 8 days later": at_restart(WEEK_AND_DAY_S),
    "restart, clock an hour back": at_restart(-HOUR_S),
    "clock jumps an hour ahead": in_mid_stream(HOUR_S),
    "clock jumps an hour back": in_mid_stream(-HOUR_S),
}
