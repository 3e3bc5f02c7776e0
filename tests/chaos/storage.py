"""Faults of the storage: full disks, disks that became read-only, and commits whose reply is lost."""

import os
import random
import subprocess
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyspark
from tests.chaos.job import START_PATIENCE_S, UnsurvivedError, wait_until
from tests.chaos.site import Fault, Site

SIZE = "48m"
"""Of a disk: some hundred micro-batches."""
BLOCK = 4096
LEFTOVER_BLOCKS = 12
"""At most so many blocks are left on a full disk: sometimes data files fit, and the commit does not."""
MET_S = 60
JARS = Path("build/jars/spark")
LOG_STORE = Path(__file__).with_name("LostReply.java")
LOST_REPLIES = ("timeout", "exists")


class StorageSite(Site):
    """A site whose tables and checkpoint are on small disks of their own, under a log store that can lose a reply."""

    @property
    def tables(self) -> Path:
        """The folder of the tables, on a disk of its own."""
        return self.home / "tables-disk" / "tables"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint, on another one."""
        return self.home / "checkpoint-disk" / "checkpoint"


def missing_permission() -> str | None:
    """Say so, if disks cannot be mounted here."""
    try:
        with tempfile.TemporaryDirectory() as place, _disk(Path(place, "disk")):
            return None
    except (OSError, subprocess.CalledProcessError):
        return "its faults (full and read-only disks, lost commit replies) need the right to mount a tmpfs, as root has"


@contextmanager
def storage_site(home: Path, rng: random.Random) -> Iterator[Site]:
    """Open a site on disks of its own."""
    with _disk(home / "tables-disk"), _disk(home / "checkpoint-disk"):
        site = StorageSite(home, rng)
        jar = _compiled(home)
        site.env["PYSPARK_SUBMIT_ARGS"] = (
            f"--conf spark.jars={JARS}/*.jar,{jar} --conf spark.delta.logStore.file.impl=chaos.LostReply pyspark-shell"
        )
        try:
            yield site
        finally:
            site.close()


@contextmanager
def _disk(place: Path) -> Iterator[None]:
    place.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place))
    try:
        yield
    finally:
        # The job is dead, but its files may take the kernel a moment; a disk that nobody uses goes by itself.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _compiled(home: Path) -> Path:
    """Compile the log store with the compiler that Spark itself uses for its queries, and put it into a jar."""
    spark = Path(pyspark.__file__).parent / "jars"
    needed = [*spark.glob("hadoop-client-*.jar"), *spark.glob("slf4j-api-*.jar"), *JARS.glob("delta-storage-*.jar")]
    subprocess.run(
        ["java", "-cp", f"{spark}/*", "org.codehaus.commons.compiler.samples.CompilerDemo", "-d", str(home / "classes"),
         "-classpath", os.pathsep.join(map(str, needed)), str(LOG_STORE)],
        check=True,
    )  # fmt: skip
    jar = home / "lost-reply.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for file in (home / "classes").rglob("*.class"):
            archive.write(file, file.relative_to(home / "classes"))
    return jar


def full(where: Callable[[Site], Path]) -> Fault:
    """Return the fault: a disk is full, until somebody makes room."""

    def fill(site: Site) -> float:
        site.running()
        ballast = where(site).parent / "ballast"
        _fill(ballast, site.rng.randrange(LEFTOVER_BLOCKS))
        try:
            _met(site, "No space left on device")
        finally:
            ballast.unlink()
        return time.monotonic()

    return fill


def _fill(ballast: Path, leftover: int) -> None:
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(BLOCK)):
                pass
        except OSError:  # it is full
            file.truncate(max(0, (file.tell() // BLOCK - leftover) * BLOCK))


def read_only(where: Callable[[Site], Path]) -> Fault:
    """Return the fault: a disk is read-only, as after an error of the device, until somebody mounts it anew."""

    def remount(site: Site) -> float:
        site.running()
        disk = str(where(site).parent)
        _mount("-o", "remount,ro", disk)
        try:
            _met(site, "Read-only file system")
        finally:
            _mount("-o", "remount,rw", disk)
        return time.monotonic()

    return remount


def _met(site: Site, text: str) -> None:
    """Send records until the job says that it has met a fault."""
    assert site.job
    job, before = site.job, site.job.said.count(text)
    give_up = time.monotonic() + MET_S
    while job.said.count(text) == before:
        if not job.is_alive or time.monotonic() > give_up:
            raise UnsurvivedError(f"the job should say {text!r}, and go on: {job.last_words()}")
        site.send()
        time.sleep(1)


def reply_lost(table: str) -> Fault:
    """Return the fault: a commit of a table lands, and the job is told that it has failed, in one way or another."""

    def lose(site: Site) -> float:
        site.running()
        if table == "model_timeline":
            site.move_alias()
        request = site.tables / f"{table}.lose"
        request.write_text(site.rng.choice(LOST_REPLIES))
        site.send()
        wait_until(lambda: not request.exists(), f"a commit of {table}", START_PATIENCE_S)
        return time.monotonic()

    return lose


def _tables(site: Site) -> Path:
    return site.tables


def _checkpoint(site: Site) -> Path:
    return site.checkpoint


FAULTS: dict[str, Fault] = {
    "disk of the tables full": full(_tables),
    "disk of the tables read-only": read_only(_tables),
    "disk of the checkpoint full": full(_checkpoint),
    "disk of the checkpoint read-only": read_only(_checkpoint),
    **{
        f"reply to a commit of {table} lost": reply_lost(table)
        for table in ("scored_clicks", "rejected_clicks", "model_timeline")
    },
}
