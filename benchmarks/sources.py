"""What do clicks cost from Kafka, against the same clicks from a landing folder, and what does deduplication add?

Each arm is the whole run that users start: read, parse, features, score, two Delta tables, in micro-batches of about
100,000 clicks, with new tables and a new checkpoint. The arms take turns in one process, so that a noisy machine is
noisy to all; CPU time is that of the process tree without the broker. Then the state of five million ids is measured,
and what small micro-batches cost beside it.
Run it with `make bench-sources`.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from io import StringIO
from pathlib import Path

import pyarrow as pa
from benchmarks.common.clicks import land, send
from benchmarks.common.cpu import cpu_seconds
from benchmarks.common.kafka import process_id, running_broker
from benchmarks.common.model import register_model
from benchmarks.common.paths import places
from benchmarks.common.turns import arguments, as_table, costs
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from clickscore.config.run import Config, load
from clickscore.scoring.contract import Contract
from clickscore.session import build_session
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import VALUE, Layout
from clickscore.stream import app
from clickscore.stream.deduplication import mark_duplicates, prepare_state
from shopsim.broker import Broker
from shopsim.records import Faults

CLICKS = 600_000
FAULTS = Faults(malformed=0.002, duplicate=0.005, late=0.01)
SEED = 2
ROUNDS = 3
PORT = 9292

FOLDER, KAFKA, KAFKA_2 = "folder", "kafka, 4 partitions", "kafka, 2 partitions"
DEDUPLICATED, STATE = ", deduplicated", "state"
ARMS = (FOLDER, KAFKA, KAFKA_2, FOLDER + DEDUPLICATED, KAFKA_2 + DEDUPLICATED, STATE)
"""What can be measured; the state of many ids is filled once, and no arm of the others."""

IDS = 5_000_000
IDS_PER_BATCH = 250_000
SMALL_BATCHES = 30
IDS_PER_SMALL_BATCH = 1_000
WINDOW_MS = 300_000
"""Longer than the benchmark fills the state, so that no id expires, but short enough that slices take turns."""


def compare(spark: SparkSession, home: Path, broker: Broker, clicks: int, rounds: int, chosen: Sequence[str]) -> Table:
    """Measure the arms in turn."""
    land(home / "landing", clicks, SEED, FAULTS)
    for topic, partitions in (("clicks", 4), ("two", 2)):
        records = send(broker.servers, topic, partitions, clicks, SEED, FAULTS)
    shared = [*places(home / "arm"), f"model.registry={register_model()}",
              f"source.bootstrap_servers={broker.servers}"]  # fmt: skip
    folder = f"source={{kind: folder, path: {home}/landing, max_bytes: 50 MiB}}"
    two, deduplicate = "source.topics=[two]", 'deduplicate={window: "10 minutes"}'
    settings = {
        FOLDER: [folder],
        KAFKA: [],
        KAFKA_2: [two],
        FOLDER + DEDUPLICATED: [folder, deduplicate],
        KAFKA_2 + DEDUPLICATED: [two, deduplicate],
    }

    def run(config: Config) -> None:
        app.run(config, lambda: spark, Console(file=StringIO()))
        shutil.rmtree(home / "arm")

    arms = {
        name: partial(run, load(Path("conf/kafka.yaml"), [*shared, *own]))
        for name, own in settings.items()
        if name in chosen
    }
    return as_table(costs(arms, records, rounds, without=process_id(broker)))


def measure_state(spark: SparkSession, home: Path) -> Table:
    """Fill the state with ids alone, in files of one micro-batch each; return its size and what a micro-batch taken."""
    prepare_state(spark)
    click = pa.schema([pa.field("event_id", pa.string(), nullable=False)])
    # Nobody asks this click for its time or its visitor.
    contract = Contract(click, id="event_id", time="event_id", visitor="event_id")
    layout = Layout(as_spark(click), contract.id, contract.time, contract.visitor)
    small = SMALL_BATCHES * IDS_PER_SMALL_BATCH
    for numbers in (
        spark.range(0, IDS, 1, IDS // IDS_PER_BATCH),
        spark.range(IDS, IDS + small, 1, SMALL_BATCHES),  # later files come to the stream later
    ):
        ids = numbers.select(F.to_json(F.struct(F.hex("id").alias("event_id"))))
        ids.write.mode("append").text(str(home / "ids"))
    lines = spark.readStream.option("maxFilesPerTrigger", 1).text(str(home / "ids"))
    nothing = [F.lit(None).cast(field.dataType).alias(field.name) for field in layout.raw.fields[2:]]
    raw = lines.select(F.col(VALUE).cast("binary").alias(VALUE), F.lit("bench").alias("source"), *nothing)
    taken: list[float] = []
    seconds: list[float] = []
    cpu, ended = cpu_seconds(), time.monotonic()

    def consume(packed: DataFrame, _: int) -> None:
        nonlocal cpu, ended
        packed.write.format("noop").mode("append").save()
        taken.append(cpu_seconds() - cpu)
        seconds.append(time.monotonic() - ended)
        cpu, ended = cpu + taken[-1], ended + seconds[-1]

    marked = mark_duplicates(raw, contract, WINDOW_MS)
    writer = marked.writeStream.foreachBatch(consume).option("checkpointLocation", str(home / "state"))
    query = writer.trigger(availableNow=True).start()
    query.awaitTermination()
    memory = max(state["memoryUsedBytes"] for progress in query.recentProgress for state in progress["stateOperators"])
    on_disk = sum(path.stat().st_size for path in (home / "state").rglob("*") if path.is_file())
    grid = Table(f"state of {IDS:,} ids", "")
    grid.add_row("memory of RocksDB, at most", f"{memory / 1e6:,.0f} MB")
    grid.add_row("checkpoint on disk, with the versions that Spark keeps", f"{on_disk / 1e6:,.0f} MB")
    grid.add_row(
        f"CPU-s of a micro-batch of {IDS_PER_BATCH:,} ids: third to fifth", f"{statistics.mean(taken[2:5]):.1f}"
    )
    large, last = taken[:-SMALL_BATCHES], SMALL_BATCHES // 2
    grid.add_row("the last three", f"{statistics.mean(large[-3:]):.1f}")
    grid.add_row(
        f"a micro-batch of {IDS_PER_SMALL_BATCH:,} ids after them, median of {last}",
        f"{statistics.median(taken[-last:]):.2f} CPU-s, {statistics.median(seconds[-last:]):.2f} s",
    )
    return grid


def main() -> None:
    """Print the tables."""
    a = arguments(__doc__, CLICKS, ROUNDS, ARMS)
    spark = build_session("benchmark-sources")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        if {*a.arms} - {STATE}:
            with running_broker(home / "kafka", PORT) as broker:
                Console().print(compare(spark, home, broker, a.clicks, a.rounds, a.arms))
        if STATE in a.arms:
            Console().print(measure_state(spark, home))


if __name__ == "__main__":
    main()
