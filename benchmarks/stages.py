"""Where does the time of a click go? Each arm does one step more than the one before it, over the same files.

Those before the writing end in a sink that writes nothing; each is one Spark job, without the stream around it. They
take turns in one process, so that a noisy machine is noisy to all, and CPU time is that of the process tree, in the JVM
and in its Python workers. Features stay in the workers, as they do in the scorer. Run it with `make bench-stages`.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.common.clicks import land
from benchmarks.common.model import register_model
from benchmarks.common.partial_scorer import without_model
from benchmarks.common.paths import places
from benchmarks.common.turns import arguments, as_table, costs
from pyspark.sql import DataFrame, Observation, SparkSession
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


def arms(spark: SparkSession, home: Path) -> dict[str, Callable[[], None]]:
    """Return the steps of the path, each with all that come before it."""
    config = load(Path("conf/local.yaml"), [*places(home / "arm"), f"model.registry={register_model()}"])
    definition, model = read_definition(config), fetch_current(config.model, home / "files")
    contract, features, layout = definition.contract, definition.features, definition.layout
    stamp = Stamp(0, F.current_timestamp(), *model.key)
    tolerance = Tolerance(config.model.time_limit_ms / 1000, ALWAYS_ALLOWED, config.model.failure_limit, SLACK)
    whole = Deployment(spark, config.model).score_with(contract, features, model, tolerance)
    free, checked = (Table(str(home / name)) for name in ("free", "checked"))
    statistics = [layout.time, layout.visitor, "batch_id"]
    free.create(spark, layout.scored, statistics, {})
    checked.create(spark, layout.scored, statistics, {}, checks=schemas.FINITE_SCORE)

    def raw() -> DataFrame:
        return read_batch(spark, f"{home}/landing")

    def rows(score: Score, is_counted: bool = False) -> DataFrame:
        outcomes = pipeline.with_outcomes(raw(), score)
        if is_counted:
            outcomes = outcomes.observe(Observation(), *ScoreCounts().census(layout))
        return pipeline.scored(outcomes, layout, stamp)

    return {
        "read": lambda: to_nowhere(raw()),
        "+ decode": lambda: to_nowhere(rows(without_model(contract))),
        "+ features": lambda: to_nowhere(rows(without_model(contract, features, model.inputs))),
        "+ score": lambda: to_nowhere(rows(whole)),
        "+ count": lambda: to_nowhere(rows(whole, is_counted=True)),
        "+ write": lambda: free.append(rows(whole, is_counted=True)),
        "+ constraint": lambda: checked.append(rows(whole, is_counted=True)),
    }


def to_nowhere(rows: DataFrame) -> None:
    """Compute the rows, and drop them."""
    rows.write.format("noop").mode("append").save()


def main() -> None:
    """Print the table."""
    a = arguments(__doc__, CLICKS, ROUNDS)
    spark = build_session("benchmark-stages")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        records = land(home / "landing", a.clicks, SEED, FAULTS)
        Console().print(as_table(costs(arms(spark, home), records, a.rounds)))


if __name__ == "__main__":
    main()
