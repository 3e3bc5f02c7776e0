"""What happens to a micro-batch where clicks come from 64 partitions, and where a commit has 1,000 files?

First the whole run that users start, over the same clicks in a topic of 2 and of 64 partitions, in turn, with new
tables each time; CPU time is that of the process tree without the broker. Then commits of 1,000 small files grow a
table, and small appends are timed in it, in turn with those to a table of few files. Run it with `make bench-scale`.
"""

import shutil
import statistics
import tempfile
import time
from functools import partial
from io import StringIO
from pathlib import Path

import deltalake
from benchmarks.common.clicks import send
from benchmarks.common.kafka import process_id, running_broker
from benchmarks.common.model import register_model
from benchmarks.common.paths import places
from benchmarks.common.turns import arguments, as_table, costs
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid

from clickscore.config.run import Config, load
from clickscore.session import build_session
from clickscore.storage.table import Table
from clickscore.stream import app
from shopsim.broker import Broker
from shopsim.records import Faults

CLICKS = 500_000
BATCHES = 2
PARTITIONS = (2, 64)
FAULTS = Faults(malformed=0.001)
SPARE = 1.04
"""Micro-batches may be a little larger than they need to be, for the malformed records that come on top."""
SEED = 2
ROUNDS = 3
PORT = 9294

COMMITS, FILES, ROWS_PER_FILE = 20, 1_000, 10
FEW = 1
"""Files of a commit of the other table."""
SMALL_APPENDS, SMALL_ROWS = 40, 2_000
"""Enough that the table goes past the checkpoint of its log, at commit 50."""
SMALL_WARM_UP = 5
"""Appends at the begin that do not count."""


def compare_partitions(spark: SparkSession, home: Path, broker: Broker, clicks: int, rounds: int) -> Grid:
    """Measure the run over few and over many partitions, in turn."""
    files: dict[int, int] = {}

    def run(partitions: int, config: Config) -> None:
        app.run(config, lambda: spark, Console(file=StringIO()))
        files[partitions] = len(deltalake.DeltaTable(config.output.scored).file_uris())
        shutil.rmtree(home / "arm")

    arms = {}
    for partitions in PARTITIONS:
        topic = f"clicks-{partitions}"
        records = send(broker.servers, topic, partitions, clicks, SEED, FAULTS)
        source = {"topics": f"[{topic}]", "bootstrap_servers": broker.servers,
                  "max_records": round(clicks / BATCHES * SPARE)}  # fmt: skip
        values = [f"model.registry={register_model()}", *(f"source.{key}={value}" for key, value in source.items())]
        config = load(Path("conf/kafka.yaml"), [*places(home / "arm"), *values])
        arms[f"{partitions} partitions"] = partial(run, partitions, config)
    grid = as_table(costs(arms, records, rounds, without=process_id(broker)))
    counts = [f"{count // BATCHES} from {partitions} partitions" for partitions, count in files.items()]
    grid.caption = f"files of a commit: {', '.join(counts)}"
    return grid


def measure_files(spark: SparkSession, home: Path) -> Grid:
    """Grow a table by commits of many files; return what they, and small appends between them, cost."""
    rows = spark.range(FILES * ROWS_PER_FILE, numPartitions=1).select(
        F.timestamp_seconds("id").alias("at"), F.col("id").cast("string").alias("visitor"),
        F.lit(0).cast("bigint").alias("batch_id"),
    )  # fmt: skip
    small = rows.limit(SMALL_ROWS).localCheckpoint()
    many, few = Table(str(home / "many")), Table(str(home / "few"))
    for table in (many, few):
        table.create(spark, rows.schema, rows.columns, {}, ["at", "visitor"])
    large: list[float] = []
    for _ in range(SMALL_WARM_UP):
        timed_append(few, rows, FEW)
    for _ in range(COMMITS):
        large.append(timed_append(many, rows, FILES))
        timed_append(few, small, FEW)
    pairs = [(timed_append(many, small, FEW), timed_append(few, small, FEW)) for _ in range(SMALL_APPENDS)]
    in_many, in_few = (statistics.median(times) for times in zip(*pairs[SMALL_WARM_UP:], strict=True))
    log = sum(file.stat().st_size for file in Path(many.name, "_delta_log").glob("*.json"))
    began = time.monotonic()
    removed = many.delta(spark).optimize().executeCompaction().collect()[0].metrics.numFilesRemoved
    optimized = time.monotonic() - began
    after = statistics.median(timed_append(many, small, FEW) for _ in range(SMALL_APPENDS))
    grid = Grid(f"a table of {COMMITS * FILES:,} files", "")
    grid.add_row(f"a commit of {FILES:,} files, the first three", f"{statistics.median(large[:3]):.1f} s")
    grid.add_row("the last three", f"{statistics.median(large[-3:]):.1f} s")
    grid.add_row("its entry in the log", f"{log / COMMITS / 1e3:,.0f} KB")
    grid.add_row(f"a small append, {SMALL_ROWS:,} rows", f"{in_many:.2f} s")
    grid.add_row("the same in a table of few files", f"{in_few:.2f} s")
    grid.add_row(f"OPTIMIZE of {removed:,} files", f"{optimized:.0f} s")
    grid.add_row("a small append after it", f"{after:.2f} s")
    return grid


def timed_append(table: Table, rows: DataFrame, files: int) -> float:
    """Append rows in so many files, as one commit; return its seconds."""
    writer = rows.write.format("delta").mode("append").option("maxRecordsPerFile", max(1, rows.count() // files))
    began = time.monotonic()
    writer.save(table.name)
    return time.monotonic() - began


def main() -> None:
    """Print the tables."""
    a = arguments(__doc__, CLICKS, ROUNDS)
    spark = build_session("benchmark-scale")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with running_broker(home / "kafka", PORT) as broker:
            Console().print(compare_partitions(spark, home, broker, a.clicks, a.rounds))
        Console().print(measure_files(spark, home))


if __name__ == "__main__":
    main()
