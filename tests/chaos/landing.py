"""Faults of a landing folder: thousands of tiny files under kills, old times, rewritten files, files half written."""

import os
import random
import time
from pathlib import Path

from tests.chaos.site import Fault, Site

WAVE = 4_000
"""Files that arrive at once; five waves make the 20,000 that the folder holds in the end."""
FILES_AT_ONCE = 1_000
"""Files in a micro-batch, about: a wave is several of them, so that a kill may come between two."""
WAVE_S = 20
"""Longest time between the arrival of a wave and the kill; about as long as a wave takes."""
FEW = 3
"""Files that something is done to."""
YEAR_S = 365 * 86_400
TRIGGERS_S = 1.5
"""Long enough for the job to look into the folder twice."""


class LandingSite(Site):
    """A site whose landing folder is looked at more closely; remembers what stood in files that were rewritten."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site."""
        source = {"kind": "folder", "path": str(home / "landing"), "max_bytes": FILES_AT_ONCE * 110}
        super().__init__(home, rng, source=source)
        self.first_content: dict[Path, str] = {}

    def finish(self) -> None:
        """Put the first content back into the files that were rewritten, for that is what must be in the tables."""
        for file, content in self.first_content.items():
            file.write_text(content)
        super().finish()


def wave_and_kill(site: Site) -> float:
    """Thousands of files of one record each arrive at once, and the driver is killed while it reads them."""
    job = site.running()
    for number in range(WAVE):
        site.land(site.records(1, 0) if number % 20 else site.records(0, 1))
    return site.kill(job, site.rng.uniform(0, WAVE_S))


def old_times(site: Site) -> float:
    """Files that are years older than others that were read long ago."""
    site.running()
    moment = time.monotonic()
    for _ in range(FEW):
        file = site.landing / f"old-{site.rng.getrandbits(64):016x}.jsonl"
        aside = site.land(site.records(), f"_{file.name}")
        then = time.time() - site.rng.uniform(1, 10) * YEAR_S
        os.utime(aside, (then, then))
        aside.rename(file)
    site.send()
    return moment


def rewritten(site: Site) -> float:
    """Files that were read get another content under their names, which is not read; at times the job starts anew."""
    assert isinstance(site, LandingSite)
    job = site.running()
    is_killed = site.rng.random() < 1 / 2
    if is_killed:
        job.kill()
    moment = time.monotonic()
    read = sorted(site.landing.rglob("*.jsonl"))
    for file in site.rng.sample(read, k=min(FEW, len(read))):
        site.first_content.setdefault(file, file.read_text())
        site.land(['{"id": "rewritten"}', "rewritten"], str(file.relative_to(site.landing)))
    if is_killed:
        site.start()
    site.send()
    return moment


def half_written(site: Site) -> float:
    """Files are there for a while, and cut off in the middle of a record, under names that are not theirs yet."""
    site.running()
    moment = time.monotonic()
    for pattern in (".{}.jsonl", "_{}.jsonl", "{}.jsonl.tmp", "{}.jsonl.part"):
        name = f"{site.rng.getrandbits(64):016x}"
        aside, content = site.landing / pattern.format(name), "\n".join(site.records()) + "\n"
        aside.write_text(content[: site.rng.randrange(len(content))])
        site.send()
        time.sleep(TRIGGERS_S)
        aside.write_text(content)
        aside.rename(site.landing / f"{name}.jsonl")
    return moment


def subfolder(site: Site) -> float:
    """Files come into a folder within a folder, both new; then the same names with other records, one folder up."""
    site.running()
    moment = time.monotonic()
    upper = f"{site.rng.getrandbits(64):016x}"
    for folder in (f"{upper}/day=1", upper):
        (site.landing / folder).mkdir(exist_ok=True, parents=True)
        for number in range(FEW):
            site.land(site.records(), f"{folder}/{number}.jsonl")
        time.sleep(TRIGGERS_S)
    return moment


FAULTS: dict[str, Fault] = {
    "thousands of files, driver killed": wave_and_kill,
    "files with old times": old_times,
    "files rewritten": rewritten,
    "files half written": half_written,
    "files in new folders": subfolder,
}
