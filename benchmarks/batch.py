"""What does a click cost in a backfill, against the same click in the stream?

Both arms find their tables and their checkpoint made, and score the same files in chunks of the same size, in turns in
one process; CPU time is that of the process tree. Run it with `make bench-batch`.
"""

import os
import statistics
import tempfile
from collections.abc import Iterator
from io import StringIO
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks.common.clicks import land
from benchmarks.common.model import register_model
from benchmarks.common.paths import places
from benchmarks.common.turns import WARM_UP, Cost, arguments, as_table, costs
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.batch import backfill
from clickscore.batch.missing import Range
from clickscore.config.run import Config, load
from clickscore.session import build_session
from clickscore.stream import app
from shopsim.records import Faults

CLICKS, ROUNDS, SEED = 100_000, 3, 2
LARGER = 5
"""Times as many clicks: with two sizes, what a run costs and what a click costs can be told apart."""
MILLION = 1e6
FAULTS = Faults(malformed=0.002)


class Arm(NamedTuple):
    """What a way of scoring costs.

    Attributes:
        fixed: CPU-seconds of a run without a click.
        per_million: CPU-seconds of a million clicks beyond that.
    """

    fixed: float
    per_million: float


def prepared(spark: SparkSession, home: Path, registry: str, rounds: int) -> Iterator[Config]:
    """Return the run of each round: tables and checkpoint are there, and the landing folder is empty."""
    made = []
    for number in range(rounds + WARM_UP):
        landing = home / str(number) / "landing"
        landing.mkdir(parents=True)
        source = f"source={{kind: folder, path: {landing}, max_bytes: 50 MiB}}"
        made.append(load(Path("conf/local.yaml"),
                         [*places(home / str(number) / "arm"), f"model.registry={registry}", source]))  # fmt: skip
        app.run(made[-1], lambda: spark, Console(file=StringIO()))
    return iter(made)


def measure(spark: SparkSession, home: Path, registry: str, clicks: int, rounds: int) -> dict[str, list[Cost]]:
    """Return what the runs of each arm have cost, of so many clicks each."""
    names = count()
    clicks = land(home / "clicks", clicks, SEED, FAULTS)
    streams, batches = (prepared(spark, home / arm, registry, rounds) for arm in ("stream", "backfill"))

    def stream() -> None:
        config = next(streams)
        landing = Path(config.checkpoint).parent.parent / "landing"
        for file in (home / "clicks").iterdir():
            os.link(file, landing / f"{next(names)}-{file.name}")
        app.run(config, lambda: spark, Console(file=StringIO()))

    def batch() -> None:
        backfill.run(next(batches), lambda: spark, Console(file=StringIO()), Range(str(home / "clicks")))

    return costs({"stream": stream, "backfill": batch}, clicks, rounds)


def split(small: float, few: int, large: float, many: int) -> Arm:
    """Return the line through the costs per million of two sizes."""
    per_million = (large * many - small * few) / (many - few)
    return Arm((small - per_million) * few / MILLION, per_million)


def main() -> None:
    """Print a table for each size, and what a run and what a click costs."""
    a = arguments(__doc__, CLICKS, ROUNDS)
    spark, registry = build_session("benchmark-batch"), register_model()
    sizes, found = (a.clicks, LARGER * a.clicks), []
    for clicks in sizes:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure(spark, Path(folder), registry, clicks, a.rounds))
        Console().print(f"{clicks:,} clicks:", as_table(found[-1]))
    for name in found[0]:
        small, large = (statistics.median(run.cpu for run in each[name]) for each in found)
        arm = split(small, sizes[0], large, sizes[1])
        Console().print(f"{name}: {arm.fixed:.1f} CPU-s for a run, {arm.per_million:.1f} for a million clicks")


if __name__ == "__main__":
    main()
