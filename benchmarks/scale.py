"""What happens to a micro-batch where clicks come from 64 partitions, and where a commit has 1,000 files?

First the whole run that users start, over the same clicks in a topic of 2 and of 64 partitions, in turn, with new
tables each time; CPU time is that of the process tree without the broker. Then commits of 1,000 small files grow a
table, and small appends are timed in it, in turn with those to a table of few files. Run it with `make bench-scale`.
"""

import os
import shutil
import statistics
import tempfile
import time
from io import StringIO
from pathlib import Path

import deltalake
from benchmarks.common.cpu import CpuMeter, cpu_seconds
from benchmarks.common.model import MARCH_MS, register_model
from benchmarks.common.paths import places
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid

from clickscore.config.run import load
from clickscore.session import build_session
from clickscore.storage.table import Table
from clickscore.stream import app
from shopsim import feed, topics
from shopsim.broker import Broker
from shopsim.records import Faults

CLICKS, PER_BATCH = 500_000, 260_000
"""Two micro-batches, with the malformed records that come on top."""
BATCHES = 2
PARTITIONS = (2, 64)
FAULTS = Faults(malformed=0.001)
ROUNDS, WARM_UP = 3, 1
PORT = 9294

COMMITS, FILES, ROWS_PER_FILE = 20, 1_000, 10
FEW = 1
"""Files of a commit of the other table."""
SMALL_APPENDS, SMALL_ROWS = 40, 2_000
"""Enough that the table goes past the checkpoint of its log, at commit 50."""
SMALL_WARM_UP = 5
"""Appends at the begin that do not count."""


def compare_partitions(spark: SparkSession, home: Path, broker: Broker) -> Grid:
    """Measure the run over few and over many partitions, in turn."""
    arms = {}
    for partitions in PARTITIONS:
        topic = f"clicks-{partitions}"
        topics.make_topic(broker.servers, topic, partitions)
        sent = list(topics.send(feed.past(CLICKS, 10_000, MARCH_MS, 7.0, 2, FAULTS), broker.servers, topic))
        values = [f"source.topics=[{topic}]", f"source.bootstrap_servers={broker.servers}",
                  f"source.max_records={PER_BATCH}", f"model.registry={register_model()}"]  # fmt: skip
        arms[partitions] = load(Path("conf/kafka.yaml"), [*places(home / "arm"), *values]), sum(sent)
    assert broker.process
    meter = CpuMeter(os.getpid())
    costs: dict[int, list[tuple[float, float, int]]] = {partitions: [] for partitions in PARTITIONS}
    for number in range(ROUNDS + WARM_UP):
        for partitions, (config, records) in arms.items():
            cpu, theirs, began = meter.seconds(), cpu_seconds(of=broker.process.pid), time.monotonic()
            app.run(config, lambda: spark, Console(file=StringIO()))
            seconds = time.monotonic() - began
            cpu = meter.seconds() - cpu - (cpu_seconds(of=broker.process.pid) - theirs)
            files = len(deltalake.DeltaTable(config.output.scored).file_uris())
            if number >= WARM_UP:
                costs[partitions].append((cpu * 1e6 / records, records / seconds, files))
            shutil.rmtree(home / "arm")
    grid = Grid("partitions", "CPU-s per million", "least - most", "clicks/s", "files of a commit")
    for partitions, found in costs.items():
        cpus = [cost for cost, _, _ in found]
        rate = statistics.median(rate for _, rate, _ in found)
        row = f"{statistics.median(cpus):.1f}", f"{min(cpus):.1f} - {max(cpus):.1f}", f"{rate:,.0f}"
        grid.add_row(str(partitions), *row, str(found[0][2] // BATCHES))
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
    spark = build_session("benchmark-scale")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        broker = Broker(home / "kafka", PORT)
        broker.start()
        try:
            Console().print(compare_partitions(spark, home, broker))
        finally:
            broker.kill()
        Console().print(measure_files(spark, home))


if __name__ == "__main__":
    main()
