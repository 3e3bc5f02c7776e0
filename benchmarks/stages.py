"""Where does the time of a click go? Each arm does one step more than the one before it, over the same files.

Those before the writing end in a sink that writes nothing; each is one Spark job, without the stream around it. They
take turns in one process, so that a noisy machine is noisy to all, and CPU time is that of the process tree, in the JVM
and in its Python workers. Features stay in the workers, as they do in the scorer. What the metrics of a micro-batch
cost is `+ metrics` less `+ count`, and what drift costs `+ drift` less `+ metrics`. Run it with `make bench-stages`.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.common.clicks import land
from benchmarks.common.model import register_model
from benchmarks.common.partial_scorer import without_model
from benchmarks.common.paths import places
from benchmarks.common.turns import arguments, as_table, costs
from pyspark.sql import Column, DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.run import load
from clickscore.registry.registry import fetch_current
from clickscore.scoring.isolation import Tolerance
from clickscore.session import build_session
from clickscore.sources.folder import read_batch
from clickscore.storage import schemas
from clickscore.storage.table import Table
from clickscore.stream import pipeline
from clickscore.stream.batch_scoring import SLACK
from clickscore.stream.definition import read_definition
from clickscore.stream.deployment import Deployment
from clickscore.stream.pipeline import Score, Stamp
from clickscore.stream.score_counts import ScoreCounts
from clickscore.stream.tally import ALWAYS_ALLOWED
from shopsim.records import Faults

CLICKS = 500_000
FAULTS = Faults(malformed=0.001)
SEED = 7
ROUNDS = 5
ARMS = ("read", "+ decode", "+ features", "+ score", "+ count", "+ metrics", "+ drift", "+ write", "+ constraint")


def arms(spark: SparkSession, home: Path, clicks: int) -> dict[str, Callable[[], None]]:
    """Return the steps of the path, each with all that come before it."""
    config = load(Path("conf/local.yaml"), [*places(home / "arm"), f"model.registry={register_model()}"])
    definition, model = read_definition(config), fetch_current(config.model, home / "files")
    contract, features, layout = definition.contract, definition.features, definition.layout
    stamp = Stamp(0, F.current_timestamp(), *model.key)
    tolerance = Tolerance(config.model.time_limit_ms / 1000, ALWAYS_ALLOWED, config.model.failure_limit, SLACK)
    deployment = Deployment(spark, config.model)
    whole = deployment.score_with(contract, features, model, tolerance)
    unbinned = deployment.score_with(contract, features, replace(model, baseline=None), tolerance)
    free, checked = (Table(str(home / name)) for name in ("free", "checked"))
    statistics = [layout.time, layout.visitor, "batch_id"]
    free.create(spark, layout.scored, statistics, {})
    checked.create(spark, layout.scored, statistics, {}, checks=schemas.FINITE_SCORE)
    counts = ScoreCounts()
    counts.expect(clicks)
    metrics, drift = counts.census(layout), counts.census(layout, is_counted=True)

    def raw() -> DataFrame:
        return read_batch(spark, f"{home}/landing")

    def rows(score: Score, counted: Sequence[Column] = ()) -> DataFrame:
        outcomes = pipeline.with_outcomes(raw(), score)
        if counted:
            outcomes = outcomes.observe(Observation(), *counted)
        return pipeline.scored(outcomes, layout, stamp)

    steps = (
        lambda: to_nowhere(raw()),
        lambda: to_nowhere(rows(without_model(contract))),
        lambda: to_nowhere(rows(without_model(contract, features, model.inputs))),
        lambda: to_nowhere(rows(unbinned)),
        lambda: to_nowhere(rows(unbinned, pipeline.census(layout))),
        lambda: to_nowhere(rows(unbinned, metrics)),
        lambda: to_nowhere(rows(whole, drift)),
        lambda: free.append(rows(whole, drift)),
        lambda: checked.append(rows(whole, drift)),
    )
    return dict(zip(ARMS, steps, strict=True))


def to_nowhere(rows: DataFrame) -> None:
    """Compute the rows, and drop them."""
    rows.write.format("noop").mode("append").save()


def main() -> None:
    """Print the table."""
    a = arguments(__doc__, CLICKS, ROUNDS, ARMS)
    spark = build_session("benchmark-stages")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        records = land(home / "landing", a.clicks, SEED, FAULTS)
        found = arms(spark, home, records)
        Console().print(as_table(costs({name: found[name] for name in a.arms}, records, a.rounds)))


if __name__ == "__main__":
    main()
