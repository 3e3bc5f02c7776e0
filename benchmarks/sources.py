"""What do clicks cost from Kafka, against the same clicks from a landing folder, and what does deduplication add?

Each arm is the whole run that users start: read, parse, features, score, two Delta tables, in micro-batches of about
100,000 clicks, with new tables and a new checkpoint. The arms take turns in one process, so that a noisy machine is
noisy to all; CPU time is that of the process tree without the broker. Then the state of five million ids is measured.
Run it with `make bench-sources`.
"""

import shutil
import statistics
import tempfile
import time
from io import StringIO
from pathlib import Path

from benchmarks.common.cpu import cpu_seconds
from benchmarks.common.paths import places
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from rich.console import Console
from rich.table import Table

from clickscore.config.run import Config, load
from clickscore.session import build_session
from clickscore.storage import schemas
from clickscore.stream import app
from clickscore.stream.deduplication import mark_duplicates, prepare_state
from clickscore.training import training
from shopsim import feed, topics
from shopsim.broker import Broker
from shopsim.landing import write_history
from shopsim.records import Faults

CLICKS = 600_000
PER_FILE = 10_000
FAULTS = Faults(malformed=0.002, duplicate=0.005, late=0.01)
ROUNDS = 3
WARM_UP = 2
"""Rounds that are not counted: the JVM compiles, the workers import."""
MARCH_MS = 1_772_323_200_000
PORT = 9292

IDS = 5_000_000
IDS_PER_BATCH = 250_000
WINDOW_MS = 300_000
"""Longer than the benchmark fills the state, so that no id expires, but short enough that slices take turns."""


def make_config(home: Path, *overrides: str) -> Config:
    """Return the configuration of an arm below the folder."""
    history = f"training.clicks={home.parent}/history"
    servers = f"source.bootstrap_servers=127.0.0.1:{PORT}"
    return load(Path("conf/kafka.yaml"), [*places(home), history, servers, *overrides])


def measure(spark: SparkSession, config: Config, home: Path, broker: int) -> tuple[float, float]:
    """Run an arm once; return CPU-seconds per million records, and records per second."""
    cpu, began = cpu_seconds(without=broker), time.monotonic()
    app.run(config, lambda: spark, Console(file=StringIO()))
    seconds, cost = time.monotonic() - began, cpu_seconds(without=broker) - cpu
    shutil.rmtree(home)
    return cost * 1e6 / CLICKS, CLICKS / seconds


def compare(spark: SparkSession, home: Path, broker: Broker) -> Table:
    """Measure the arms in turn."""
    list(write_history(home / "landing", CLICKS, PER_FILE, MARCH_MS, 7.0, 2, FAULTS))
    for topic, partitions in (("clicks", 4), ("two", 2)):
        topics.make_topic(broker.servers, topic, partitions)
        list(topics.send(feed.past(CLICKS, PER_FILE, MARCH_MS, 7.0, 2, FAULTS), broker.servers, topic))
    folder = f"source={{kind: folder, path: {home}/landing, max_bytes: 50 MiB}}"
    deduplicate = 'deduplicate={window: "10 minutes"}'
    arms = {
        "folder": make_config(home / "arm", folder),
        "kafka, 4 partitions": make_config(home / "arm"),
        "kafka, 2 partitions": make_config(home / "arm", "source.topics=[two]"),
        "folder, deduplicated": make_config(home / "arm", folder, deduplicate),
        "kafka, 2 partitions, deduplicated": make_config(home / "arm", "source.topics=[two]", deduplicate),
    }
    process = broker.process
    assert process
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in arms}
    for number in range(ROUNDS + WARM_UP):
        for name, config in arms.items():
            run = measure(spark, config, home / "arm", process.pid)
            if number >= WARM_UP:
                runs[name].append(run)
    grid = Table("arm", "CPU-s per million", "least - most", "clicks/s", "CPU against folder")
    folder_cpu = statistics.median(cpu for cpu, _ in runs["folder"])
    for name, found in runs.items():
        cpu = [run[0] for run in found]
        median, rate = statistics.median(cpu), statistics.median(run[1] for run in found)
        row = f"{median:.1f}", f"{min(cpu):.1f} - {max(cpu):.1f}", f"{rate:,.0f}", f"{median / folder_cpu:.2f}"
        grid.add_row(name, *row)
    return grid


def measure_state(spark: SparkSession, home: Path) -> Table:
    """Fill the state with ids alone, in files of one micro-batch each; return its size and what a micro-batch costs."""
    prepare_state(spark)
    click = T.StructType([T.StructField("event_id", T.StringType(), nullable=False)])
    ids = spark.range(0, IDS, 1, IDS // IDS_PER_BATCH).select(F.to_json(F.struct(F.hex("id").alias("event_id"))))
    ids.write.text(str(home / "ids"))
    lines = spark.readStream.option("maxFilesPerTrigger", 1).text(str(home / "ids"))
    nothing = [F.lit(None).cast(field.dataType).alias(field.name) for field in schemas.raw().fields[2:]]
    raw = lines.select(F.col("value").cast("binary").alias("value"), F.lit("bench").alias("source"), *nothing)
    costs: list[float] = []
    cpu = cpu_seconds()

    def consume(packed: DataFrame, _: int) -> None:
        nonlocal cpu
        packed.write.format("noop").mode("append").save()
        costs.append(cpu_seconds() - cpu)
        cpu += costs[-1]

    marked = mark_duplicates(raw, click, "event_id", WINDOW_MS, keep_all=False)
    writer = marked.writeStream.foreachBatch(consume).option("checkpointLocation", str(home / "state"))
    query = writer.trigger(availableNow=True).start()
    query.awaitTermination()
    memory = max(state["memoryUsedBytes"] for progress in query.recentProgress for state in progress["stateOperators"])
    on_disk = sum(path.stat().st_size for path in (home / "state").rglob("*") if path.is_file())
    grid = Table(f"state of {IDS:,} ids", "")
    grid.add_row("memory of RocksDB, at most", f"{memory / 1e6:,.0f} MB")
    grid.add_row("checkpoint on disk, with the versions that Spark keeps", f"{on_disk / 1e6:,.0f} MB")
    grid.add_row(
        f"CPU-s of a micro-batch of {IDS_PER_BATCH:,} ids: third to fifth", f"{statistics.mean(costs[2:5]):.1f}"
    )
    grid.add_row("the last three", f"{statistics.mean(costs[-3:]):.1f}")
    return grid


def main() -> None:
    """Print the tables."""
    spark = build_session("benchmark-sources")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        broker = Broker(home / "kafka", PORT)
        broker.start()
        try:
            list(write_history(home / "history", 100_000, PER_FILE, MARCH_MS, 14.0, 1, Faults()))
            training.run(make_config(home / "arm"), lambda: spark, Console(file=StringIO()), once=True)
            Console().print(compare(spark, home, broker))
            Console().print(measure_state(spark, home))
        finally:
            broker.kill()


if __name__ == "__main__":
    main()
