"""What do live models cost: finding poison clicks when there are none, a challenger, a swap, a pause of the stream?

The arms of a comparison take turns in one process; CPU time is that of the whole process tree. Run it with
`make bench-models`.
"""

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import lightgbm
import pyarrow as pa
from benchmarks.common.cpu import cpu_seconds
from benchmarks.common.paths import places
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf
from rich.console import Console
from rich.table import Table

from clickscore.config.run import Config, load
from clickscore.registry.registry import Registry, fetch_current
from clickscore.scoring.contract import read_contract
from clickscore.scoring.isolation import Tolerance
from clickscore.session import build_session
from clickscore.sources.folder import read_batch
from clickscore.stream import app
from clickscore.stream.batch_scoring import ALWAYS_ALLOWED, SLACK
from clickscore.stream.deployment import Deployment
from clickscore.stream.pipeline import with_outcomes
from clickscore.training import training
from shopsim.landing import write_history
from shopsim.records import Faults

CLICKS = 400_000
PER_FILE = 10_000
ROUNDS = 7
WARM_UP = 2
MARCH_MS = 1_772_323_200_000
SWAP_BATCHES = 24
PAUSE_S = 75
"""Longer than the 60 s after which Spark ends idle Python workers."""


def make_config(home: Path, *overrides: str) -> Config:
    """Return the configuration of an arm below the folder."""
    source = f"source={{kind: folder, path: {home.parent}/landing, max_bytes: 50 MiB}}"
    history = f"training.clicks={home.parent}/landing"
    return load(Path("conf/local.yaml"), [*places(home), source, history, *overrides])


def in_turn(arms: dict[str, Callable[[], None]], clicks: int, rounds: int = ROUNDS) -> Table:
    """Run the arms in turn; return CPU-seconds per million clicks, and each arm against the first."""
    costs: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + WARM_UP):
        for name, run in arms.items():
            cpu = cpu_seconds()
            run()
            if number >= WARM_UP:
                costs[name].append((cpu_seconds() - cpu) * 1e6 / clicks)
    grid = Table("arm", "CPU-s per million", "least - most", "against the first, median of the rounds")
    first = next(iter(costs.values()))
    for name, found in costs.items():
        ratio = statistics.median(mine / other for mine, other in zip(found, first, strict=True))
        grid.add_row(name, f"{statistics.median(found):.2f}", f"{min(found):.2f} - {max(found):.2f}", f"{ratio:.3f}")
    return grid


def isolation(spark: SparkSession, home: Path) -> Table:
    """Compare the product's scoring with a bare function around the Booster, on ready features."""
    config = make_config(home / "arm")
    contract, model = read_contract(config), fetch_current(config.model, home / "files")
    outcomes = with_outcomes(read_batch(spark, f"{home}/landing"), contract, model.inputs)
    outcomes.where("_rejection IS NULL").select("_features").write.parquet(str(home / "features"))
    features = spark.read.parquet(str(home / "features"))
    file = str(model.folder / "model.lgb")

    def bare(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        booster = lightgbm.Booster(model_file=file)
        for inputs in batches:
            table = pa.Table.from_arrays(inputs.flatten(), names=[field.name for field in inputs.type])
            yield pa.array(booster.predict(table, num_threads=1))

    def write(frame: DataFrame) -> None:
        frame.write.format("noop").mode("append").save()

    tolerance = Tolerance(config.model.time_limit_ms / 1000, ALWAYS_ALLOWED, config.model.failure_limit, SLACK)
    predict = Deployment(spark, config.model).predict_with(model, tolerance)
    plain = arrow_udf(bare, T.DoubleType()).asNondeterministic()
    clicks = features.count()
    return in_turn(
        {
            "bare function": lambda: write(features.select(plain("_features"))),
            "with isolation": lambda: write(
                features.withColumn("p", predict(F.col("_features"))).where("p._failure IS NULL").select("p.score")
            ),
        },
        clicks,
    )


def challenger(spark: SparkSession, home: Path) -> Table:
    """Compare whole runs without a challenger, and with one on a tenth of the visitors."""

    def run(*overrides: str) -> None:
        app.run(make_config(home / "arm", *overrides), lambda: spark, Console(file=StringIO()))
        shutil.rmtree(home / "arm")

    beside = "model.challenger=models:/click_propensity@challenger"
    arms = {"champion alone": run, "with a challenger on 10%": lambda: run(beside)}
    return in_turn(arms, CLICKS, rounds=5)


def swap(spark: SparkSession, home: Path) -> Table:
    """Let the alias move in the middle of a run of small micro-batches."""
    config = make_config(home / "arm", f"source={{kind: folder, path: {home}/small, max_bytes: 1}}")
    list(write_history(home / "small", SWAP_BATCHES * 2_000, 2_000, MARCH_MS, 1.0, 9, Faults()))
    registry = Registry(config.model.registry)
    seen, moved = StringIO(), 0.0

    def move() -> None:
        nonlocal moved
        while "batch   10" not in seen.getvalue():
            time.sleep(0.05)
        moved = time.time()
        registry.set_alias("click_propensity", "champion", "2")

    mover = threading.Thread(target=move)
    mover.start()
    app.run(config, lambda: spark, Console(file=seen, width=200))
    mover.join()
    scored = spark.read.format("delta").load(config.output.scored)
    began = {row[0]: (row[1], row[2]) for row in scored.groupBy("batch_id").agg(
        F.min("scored_at").cast("double"), F.min("model_version")).collect()}  # fmt: skip
    lengths = {number: began[number + 1][0] - began[number][0] for number in began if number + 1 in began}
    change = min(number for number, (_, version) in began.items() if version == "2")
    usual = statistics.median(length for number, length in lengths.items() if number > 3)
    grid = Table("swap", "")
    grid.add_row("from the move of the alias to the first micro-batch", f"{began[change][0] - moved:.1f} s")
    grid.add_row("median micro-batch, begin to begin", f"{usual:.2f} s")
    near = {number: lengths[number] for number in range(change - 3, change + 2)}
    grid.add_row(f"the ones around it ({change} is the first)", ", ".join(f"{v:.2f}" for v in near.values()) + " s")
    return grid


def pause(spark: SparkSession, home: Path) -> Table:
    """Score a few clicks after a pause, with and without the heartbeat."""
    config = make_config(home / "arm")
    model = fetch_current(config.model, home / "paused")
    deployment = Deployment(spark, config.model)
    deployment.warm_up(model, (None,))
    few = spark.read.parquet(str(home / "features")).limit(1_000)
    predict = deployment.predict_with(model, Tolerance(10, 10))

    def score() -> float:
        began = time.monotonic()
        few.select(predict(F.col("_features"))["score"]).write.format("noop").mode("append").save()
        return time.monotonic() - began

    grid = Table("1,000 clicks", "seconds")
    grid.add_row("at once", f"{min(score() for _ in range(3)):.2f}")
    time.sleep(PAUSE_S)
    grid.add_row(f"after {PAUSE_S} s without a heartbeat", f"{score():.2f}")
    for _ in range(PAUSE_S // 25):
        time.sleep(25)
        deployment.keep_warm([model])
    grid.add_row(f"after {PAUSE_S} s with a heartbeat every 25 s", f"{score():.2f}")
    return grid


def main() -> None:
    """Print the tables."""
    spark = build_session("benchmark-models")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        list(write_history(home / "landing", CLICKS, PER_FILE, MARCH_MS, 14.0, 1, Faults()))
        training.run(make_config(home / "arm"), lambda: spark, Console(file=StringIO()), once=True)
        training.run(make_config(home / "arm"), lambda: spark, Console(file=StringIO()), False, "challenger")
        for measure in (isolation, challenger, swap, pause):
            Console().print(measure(spark, home))


if __name__ == "__main__":
    main()
