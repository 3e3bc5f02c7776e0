"""What do live models cost: finding poison clicks when there are none, a challenger, a swap, a pause of the stream?

The arms of a comparison take turns in one process; CPU time is that of the whole process tree. Run it with
`make bench-models`.
"""

import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from io import StringIO
from pathlib import Path

import lightgbm
import pyarrow as pa
import pyarrow.parquet as pq
from benchmarks.common.clicks import land, records
from benchmarks.common.paths import places
from benchmarks.common.turns import arguments, as_table, costs
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf
from rich.console import Console
from rich.table import Table

from clickscore.config.run import Config, load
from clickscore.registry.registry import Registry, fetch_current
from clickscore.scoring.isolation import Isolation, Tolerance
from clickscore.scoring.models import BOOSTER_FILE
from clickscore.scoring.outputs import Floats, pick
from clickscore.scoring.parsing import parser
from clickscore.session import build_session
from clickscore.sources.folder import read_batch
from clickscore.stream import app, pipeline
from clickscore.stream.batch_scoring import SLACK
from clickscore.stream.definition import read_definition
from clickscore.stream.deployment import Deployment
from clickscore.stream.score_function import Side
from clickscore.stream.tally import ALWAYS_ALLOWED
from clickscore.training import training

CLICKS = 400_000
SEED, SWAP_SEED = 1, 9
ROUNDS, WHOLE_ROUNDS = 7, 5
"""A comparison of whole runs takes longer."""
SWAP_BATCHES, SWAP_CLICKS = 24, 2_000
PAUSE_S = 75
"""Longer than the 60 s after which Spark ends idle Python workers."""
HEARTBEAT_S = 25
FEW = 1_000


def make_config(home: Path, *overrides: str) -> Config:
    """Return the configuration of an arm below the folder."""
    source = f"source={{kind: folder, path: {home.parent}/landing, max_bytes: 50 MiB}}"
    history = f"training.clicks={home.parent}/landing"
    return load(Path("conf/local.yaml"), [*places(home), source, history, *overrides])


def isolation(spark: SparkSession, home: Path, clicks: int, rounds: int) -> Table:
    """Compare the model as the scorer calls it with a bare function around the Booster, on ready features."""
    config = make_config(home / "arm")
    definition, model = read_definition(config), fetch_current(config.model, home / "files")
    parse = parser(definition.contract.click).parse
    ready = home / "features"
    ready.mkdir()
    for number, portion in enumerate(records(clicks, SEED)):
        [values], _ = definition.features.compute(parse(portion).clicks, model.inputs)
        pq.write_table(pa.table({"features": values}), ready / f"{number}.parquet")
    features = spark.read.parquet(str(ready))
    file = str(model.folder / BOOSTER_FILE)

    def bare(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        booster = lightgbm.Booster(model_file=file)
        for inputs in batches:
            rows = pa.Table.from_arrays(inputs.flatten(), names=[field.name for field in inputs.type])
            yield pa.array(booster.predict(rows, num_threads=1))

    tolerance = Tolerance(config.model.time_limit_ms / 1000, ALWAYS_ALLOWED, config.model.failure_limit, SLACK)
    side = Side(Deployment(spark, config.model).serve(model), model.inputs, config.model.picks, tolerance)

    def isolated(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        loaded, isolation = side.load(), Isolation(side.tolerance)
        picks = tuple(loaded.outputs.values())

        def predict(inputs: pa.StructArray, low: int, high: int) -> Floats:
            return pick(loaded.predict(inputs.slice(low, high - low)), picks)

        for inputs in batches:
            scores, _ = isolation.score(partial(predict, inputs), len(inputs), len(picks))
            yield pa.array(scores[:, 0])
        isolation.finish()

    def write(frame: DataFrame) -> None:
        frame.write.format("noop").mode("append").save()

    plain, safe = (arrow_udf(each, T.DoubleType()).asNondeterministic() for each in (bare, isolated))
    arms = {
        "bare function": lambda: write(features.select(plain("features"))),
        "with isolation": lambda: write(features.select(safe("features"))),
    }
    return as_table(costs(arms, features.count(), rounds))


def challenger(spark: SparkSession, home: Path, clicks: int, rounds: int) -> Table:
    """Compare whole runs without a challenger, and with one on a tenth of the visitors."""

    def run(*overrides: str) -> None:
        app.run(make_config(home / "arm", *overrides), lambda: spark, Console(file=StringIO()))
        shutil.rmtree(home / "arm")

    beside = "model.challenger=models:/click_propensity@challenger"
    return as_table(costs({"champion alone": run, "with a challenger on 10%": partial(run, beside)}, clicks, rounds))


def swap(spark: SparkSession, home: Path) -> Table:
    """Let the alias move in the middle of a run of small micro-batches."""
    config = make_config(home / "arm", f"source={{kind: folder, path: {home}/small, max_bytes: 1}}")
    land(home / "small", SWAP_BATCHES * SWAP_CLICKS, SWAP_SEED, per_file=SWAP_CLICKS)
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
    definition, model = read_definition(config), fetch_current(config.model, home / "paused")
    deployment = Deployment(spark, config.model)
    deployment.warm_up(model, tuple(config.model.picks.values()))
    few = read_batch(spark, f"{home}/landing").limit(FEW)
    tolerance = Tolerance(config.model.time_limit_ms / 1000, ALWAYS_ALLOWED)
    score_records = deployment.score_with(definition.contract, definition.features, model, tolerance)

    def score() -> float:
        began = time.monotonic()
        pipeline.with_outcomes(few, score_records).write.format("noop").mode("append").save()
        return time.monotonic() - began

    grid = Table(f"{FEW:,} clicks", "seconds")
    grid.add_row("at once", f"{min(score() for _ in range(3)):.2f}")
    time.sleep(PAUSE_S)
    grid.add_row(f"after {PAUSE_S} s without a heartbeat", f"{score():.2f}")
    for _ in range(PAUSE_S // HEARTBEAT_S):
        time.sleep(HEARTBEAT_S)
        deployment.keep_warm([model])
    grid.add_row(f"after {PAUSE_S} s with a heartbeat every {HEARTBEAT_S} s", f"{score():.2f}")
    return grid


def main() -> None:
    """Print the tables."""
    a = arguments(__doc__, CLICKS, ROUNDS)
    spark = build_session("benchmark-models")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        land(home / "landing", a.clicks, SEED)
        config = make_config(home / "arm")
        training.run(config, lambda: spark, Console(file=StringIO()), once=True)
        training.run(config, lambda: spark, Console(file=StringIO()), once=False, alias="challenger")
        Console().print(isolation(spark, home, a.clicks, a.rounds))
        Console().print(challenger(spark, home, a.clicks, min(a.rounds, WHOLE_ROUNDS)))
        Console().print(swap(spark, home))
        Console().print(pause(spark, home))


if __name__ == "__main__":
    main()
