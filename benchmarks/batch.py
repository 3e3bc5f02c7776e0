"""What does a click cost in a backfill, against the same click in the stream?

Both arms find their tables and their checkpoint made, and score the same files in chunks of the same size, in turns in
one process; CPU time is that of the process tree. Run it with `make bench-batch`.
"""

import os
import tempfile
from collections.abc import Iterator
from io import StringIO
from itertools import count
from pathlib import Path

from benchmarks.common.clicks import land
from benchmarks.common.model import register_model
from benchmarks.common.paths import places
from benchmarks.common.turns import WARM_UP, arguments, as_table, costs
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.batch import backfill
from clickscore.batch.missing import Range
from clickscore.config.run import Config, load
from clickscore.session import build_session
from clickscore.stream import app
from shopsim.records import Faults

CLICKS, ROUNDS, SEED = 200_000, 5, 2
FAULTS = Faults(malformed=0.002)


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


def main() -> None:
    """Print the table."""
    a = arguments(__doc__, CLICKS, ROUNDS)
    spark, registry = build_session("benchmark-batch"), register_model()
    with tempfile.TemporaryDirectory() as folder:
        home, names = Path(folder), count()
        clicks = land(home / "clicks", a.clicks, SEED, FAULTS)
        streams, batches = (prepared(spark, home / arm, registry, a.rounds) for arm in ("stream", "backfill"))

        def stream() -> None:
            config = next(streams)
            landing = Path(config.checkpoint).parent.parent / "landing"
            for file in (home / "clicks").iterdir():
                os.link(file, landing / f"{next(names)}-{file.name}")
            app.run(config, lambda: spark, Console(file=StringIO()))

        def batch() -> None:
            backfill.run(next(batches), lambda: spark, Console(file=StringIO()), Range(str(home / "clicks")))

        Console().print(as_table(costs({"stream": stream, "backfill": batch}, clicks, a.rounds)))


if __name__ == "__main__":
    main()
