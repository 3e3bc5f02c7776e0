"""Does a micro-batch take longer when the table has thousands of commits, or the folder tens of thousands of files?

Small micro-batches of the product, one landing file each, are measured around some commits of one table. Those between
are appended without the streaming engine, in the same shape (see `growth.table.Filler`), and the table is maintained
after every 500 of them, as `jobs/maintain_tables.py` does it, with a log that keeps a minute; `--unmaintained` leaves
that out. A second table stays young, and is measured at the end once more: what has changed there has other reasons
than growth, such as a warmer JVM. Then small micro-batches are measured while the landing folder holds more and more
files that were processed before.
Run it with `make bench-growth`; `GROWTH="--commits 100 300 --files 1000"` makes it shorter.
"""

import argparse
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.model import register_model
from benchmarks.common.neighbours import Neighbours
from benchmarks.growth.report import BATCH, FOLDER, YOUNG, Results
from benchmarks.growth.stream import SETTLE, GrowthError, SmallStream
from benchmarks.growth.table import Filler, memory, newest_version
from pyspark.sql import SparkSession

from clickscore.console import make_console
from clickscore.session import build_session
from clickscore.storage import table_log
from clickscore.storage.maintenance import compact, vacuum
from clickscore.storage.table import Table

COMMITS = (100, 1_000, 10_000)
FILES = (1_000, 50_000)
BATCHES = 30
"""Micro-batches that are measured at a point; their median stands for it."""
WARM_UP = 60
"""Micro-batches before the first point: later ones are faster only because the JVM has compiled more."""
LOOK_EVERY = 500
"""Commits between two looks at the memory, and between two runs of maintenance."""
BENCH = Path("build/bench")
RETENTION = dict.fromkeys(("delta.logRetentionDuration", "delta.deletedFileRetentionDuration"), "interval 1 minute")
"""So long does the table keep old commits and files, if it is maintained: some hundred commits, as many as a stream
with a trigger of ten seconds makes in an hour."""
SIGNALLED = 128
"""Exit status of a program that a signal ends: this and the number of the signal."""


@dataclass(frozen=True)
class Bench:
    """What all measurements have in common.

    Attributes:
        spark: the session.
        home: folder for everything that is written.
        registry: where the model is registered.
        batches: how many micro-batches are measured at a point.
        is_maintained: whether small files are put together on the way.
        results: where the figures go.
    """

    spark: SparkSession
    home: Path
    registry: str
    batches: int
    is_maintained: bool
    results: Results

    def stream(self, name: str) -> SmallStream:
        """Return a new stream."""
        return SmallStream(self.spark, self.home / name, self.registry)

    def measure(self, stream: SmallStream, what: str, size: int) -> None:
        """Measure small micro-batches of a stream, at a size of its table or its folder."""
        others = Neighbours()
        batches = stream.run(self.batches)
        self.results.add(what, size, batches, others.cores())


def grow_table(bench: Bench, commits: list[int], young: SmallStream) -> None:
    """Measure micro-batches around each of the commits, and of a table that has not grown at the end."""
    old, results = bench.stream("old"), bench.results
    old.run(1)

    def look(commit: int) -> None:
        results.add_memory(BATCH, commit, memory(bench.spark))
        if bench.is_maintained:
            many, few = compact(bench.spark, Table(str(old.table)))
            vacuum(bench.spark, Table(str(old.table)), None)
            log = table_log.trim(bench.spark, Table(str(old.table)))
            kept = f", {log.before:,} commits in the log became {log.now:,}" if log else ""
            results.say(f"maintenance at commit {commit:,}: {many:,} files became {few:,}{kept}")

    filler = Filler(bench.spark, old.table)
    if bench.is_maintained:
        Table(str(old.table)).set_properties(bench.spark, RETENTION)
    look(newest_version(old.table))
    for commit in commits:
        # So that half of the micro-batches that count come before the commit, and half of them behind it.
        results.say(f"appending up to commit {commit:,} without the stream")
        filler.fill(commit - SETTLE - bench.batches // 2, look, LOOK_EVERY)
        bench.measure(old, BATCH, commit)
        look(newest_version(old.table))
    filler.close()
    bench.measure(young, YOUNG, newest_version(young.table))


def grow_folder(bench: Bench, files: list[int]) -> None:
    """Measure micro-batches while the folder holds so many files that were processed before."""
    stream, landed = bench.stream("folder"), 0
    for wanted in files:
        stream.land_single_clicks(wanted - landed)
        bench.measure(stream, FOLDER, wanted)
        bench.results.add_memory(FOLDER, wanted, memory(bench.spark))
        landed = wanted + SETTLE + bench.batches


def arguments() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth",
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--commits", nargs="*", type=int, default=COMMITS, help="commits of the table to measure at")
    parser.add_argument("--files", nargs="*", type=int, default=FILES, help="processed files in the folder")
    parser.add_argument("--batches", type=int, default=BATCHES, help="micro-batches to measure at each point")
    parser.add_argument("--warm-up", type=int, default=WARM_UP, help="micro-batches before the first point")
    parser.add_argument("--unmaintained", action="store_true", help="let small files pile up")
    return parser.parse_args()


def main() -> int:
    """Measure and report; 1 if the stream fails."""
    a, console = arguments(), make_console()
    # Leave through every `finally`, so that no process stays behind.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: sys.exit(SIGNALLED + received))
    results, registry = Results(BENCH / "growth.json", console), register_model()
    spark = build_session("benchmark-growth")
    with tempfile.TemporaryDirectory(prefix="bench-growth-") as folder:
        bench = Bench(spark, Path(folder), registry, a.batches, not a.unmaintained, results)
        try:
            young = bench.stream("young")
            young.run(a.warm_up)
            if a.commits:
                grow_table(bench, sorted(a.commits), young)
            if a.files:
                grow_folder(bench, sorted(a.files))
        except GrowthError as error:
            console.print(str(error), highlight=False)
            return 1
        finally:
            results.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())
