"""Where does the time of a click go? Each arm does one step more than the one before it, over the same files.

Those before the writing end in a sink that writes nothing; each is one Spark job, without the stream around it. They
take turns in one process, so that a noisy machine is noisy to all, and CPU time is that of the process tree, in the JVM
and in its Python workers. Run it with `make bench-stages`.
"""

import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil
from benchmarks.common.model import MARCH_MS, PER_FILE, register_model
from benchmarks.common.paths import places
from clickscore.stream.rows import Stamp
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table as Grid

from clickscore.config.run import load
from clickscore.registry.registry import fetch_current
from clickscore.scoring.contract import read_contract
from clickscore.scoring.isolation import Tolerance
from clickscore.scoring.parsing import parse
from clickscore.session import build_session
from clickscore.sources.folder import read_batch
from clickscore.storage import schemas
from clickscore.storage.table import Table
from clickscore.stream import pipeline
from clickscore.stream.batch_scoring import ALWAYS_ALLOWED, SLACK
from clickscore.stream.deployment import Deployment
from shopsim.landing import write_history
from shopsim.records import Faults

CLICKS = 500_000
FAULTS = Faults(malformed=0.001)
DAYS, SEED = 14.0, 7
ROUNDS = 5
WARM_UP = 2
"""Rounds that are not counted: the JVM compiles, the workers import."""


class Cpu(NamedTuple):
    """CPU-seconds of the JVM and of the Python workers."""

    jvm: float
    python: float


def cpu() -> Cpu:
    """Return what the JVM below this process and its Python workers have taken so far."""
    jvm, *_ = (child for child in psutil.Process().children() if "java" in child.name())
    own = jvm.cpu_times()
    workers = 0.0
    for child in jvm.children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue
        workers += times.user + times.system + times.children_user + times.children_system
    return Cpu(own.user + own.system, workers)


def arms(spark: SparkSession, home: Path) -> dict[str, Callable[[], None]]:
    """Return the steps of the path, each with all that come before it."""
    config = load(Path("conf/local.yaml"), [*places(home / "arm"), f"model.registry={register_model()}"])
    contract, model = read_contract(config), fetch_current(config.model, home / "files")
    deployment = Deployment(spark, config.model)
    stamp = Stamp(0, F.current_timestamp(), *model.key)
    free, checked = (Table(str(home / name)) for name in ("free", "checked"))
    shape = schemas.scored_clicks(contract.click, contract.kept, contract.scores)
    statistics_of = [contract.time, contract.visitor, "batch_id"]
    free.create(spark, shape, statistics_of, {})
    checked.create(spark, shape, statistics_of, {}, checks=schemas.FINITE_SCORE)

    def raw() -> DataFrame:
        return read_batch(spark, f"{home}/landing")

    def outcomes() -> DataFrame:
        return pipeline.with_outcomes(raw(), contract, model.inputs)

    def scored(is_counted: bool) -> DataFrame:
        predict = deployment.predict_with(model, Tolerance(model_limit_s, ALWAYS_ALLOWED, 0.0, SLACK))
        records = outcomes()
        records = records.observe(Observation(), *pipeline.census(contract)) if is_counted else records
        answers = pipeline.predicted(records, predict)
        answers = answers.observe(Observation(), *pipeline.verdicts(contract, False)) if is_counted else answers
        return pipeline.scored(answers, contract, stamp)

    model_limit_s = config.model.time_limit_ms / 1000
    return {
        "read": lambda: to_nowhere(raw()),
        "+ parse": lambda: to_nowhere(parse(raw(), contract.click)),
        "+ features": lambda: to_nowhere(outcomes()),
        "+ score": lambda: to_nowhere(scored(is_counted=False)),
        "+ count": lambda: to_nowhere(scored(is_counted=True)),
        "+ write": lambda: free.append(scored(is_counted=True)),
        "+ constraint": lambda: checked.append(scored(is_counted=True)),
    }


def to_nowhere(rows: DataFrame) -> None:
    """Compute the rows, and drop them."""
    rows.write.format("noop").mode("append").save()


def main() -> None:
    """Print the table."""
    spark = build_session("benchmark-stages")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        list(write_history(home / "landing", CLICKS, PER_FILE, MARCH_MS, DAYS, SEED, FAULTS))
        steps = arms(spark, home)
        runs: dict[str, list[Cpu]] = {name: [] for name in steps}
        for number in range(ROUNDS + WARM_UP):
            for name, step in steps.items():
                before = cpu()
                step()
                after = cpu()
                if number >= WARM_UP:
                    runs[name].append(Cpu(*(1e6 * (y - x) / CLICKS for x, y in zip(before, after, strict=True))))
        grid = Grid("CPU-seconds per million clicks", "all", "least - most", "JVM", "Python")
        for name, found in runs.items():
            sums = [sum(run) for run in found]
            jvm, python = (statistics.median(part) for part in zip(*found, strict=True))
            spread = f"{min(sums):.1f} - {max(sums):.1f}"
            grid.add_row(name, f"{statistics.median(sums):.1f}", spread, f"{jvm:.1f}", f"{python:.1f}")
        Console().print(grid)


if __name__ == "__main__":
    main()
