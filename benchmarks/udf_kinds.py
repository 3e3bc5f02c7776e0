"""Which kind of Python function should hold the scorer: an Arrow UDF, a pandas UDF, or `mapInArrow`?

Each arm does what a micro-batch does, over the same files: decode, features, model, counts by an observation, and an
append to a Delta table. With a UDF over the raw record alone, the record waits in the JVM beside its outcome;
`mapInArrow` carries it, and where it came from, through Python. The arms take turns in one process, and CPU time is
that of the process tree. Run it with `make bench-udf`.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pandas as pd
import pyarrow as pa
from benchmarks.common.clicks import land
from benchmarks.common.model import register_model
from benchmarks.common.paths import places
from benchmarks.common.turns import arguments, as_table, costs
from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import pandas_udf
from rich.console import Console

from clickscore.config.run import load
from clickscore.registry.registry import fetch_current
from clickscore.scoring.isolation import Tolerance
from clickscore.scoring.scorer import ClickScorer, outcome_type
from clickscore.session import build_session
from clickscore.sources.folder import read_batch
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schemas import DUPLICATE, FINITE_SCORE, VALUE
from clickscore.storage.table import Table
from clickscore.stream import pipeline
from clickscore.stream.batch_scoring import SLACK
from clickscore.stream.definition import Definition, read_definition
from clickscore.stream.deployment import Deployment
from clickscore.stream.pipeline import OUTCOME, Score, Stamp
from clickscore.stream.score_function import Side
from clickscore.stream.tally import ALWAYS_ALLOWED
from shopsim.records import Faults

CLICKS = 500_000
FAULTS = Faults(malformed=0.001)
SEED = 7
ROUNDS = 5


def outcome_schema(definition: Definition, side: Side) -> T.StructType:
    """Return the outcome of a record, as Spark has it."""
    outcome = outcome_type(definition.contract, side.outputs, is_challenged=False)
    return as_spark(pa.schema(list(outcome)), has_comments=False)


def by_pandas_udf(definition: Definition, side: Side) -> Score:
    """Return the scorer as a pandas UDF over the raw record."""

    def score(batches: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        scorer = ClickScorer(definition.contract, definition.features, side.load())
        for records in batches:
            outcomes = scorer.score(pa.array(records, pa.binary()))
            yield pa.Table.from_struct_array(outcomes).to_pandas()
        scorer.finish()

    return cast(Score, pandas_udf(score, outcome_schema(definition, side)).asNondeterministic())


def by_map_in_arrow(raw: DataFrame, definition: Definition, side: Side) -> DataFrame:
    """Return the records with their outcomes; all columns go through Python."""
    outcome = T.StructField(OUTCOME, outcome_schema(definition, side))
    shape = T.StructType([*raw.schema.fields, T.StructField(DUPLICATE, T.BooleanType()), outcome])

    def score(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scorer = ClickScorer(definition.contract, definition.features, side.load())
        for batch in batches:
            is_duplicate = pa.repeat(pa.scalar(False), len(batch))
            columns = [*batch.columns, is_duplicate, scorer.score(batch.column(VALUE))]
            yield pa.RecordBatch.from_arrays(columns, [*batch.schema.names, DUPLICATE, OUTCOME])
        scorer.finish()

    return raw.mapInArrow(score, shape)


def arms(spark: SparkSession, home: Path) -> dict[str, Callable[[], None]]:
    """Return the three ways to score all files of the folder and write the clicks that got a score."""
    config = load(Path("conf/local.yaml"), [*places(home / "arm"), f"model.registry={register_model()}"])
    definition, model = read_definition(config), fetch_current(config.model, home / "files")
    layout, stamp = definition.layout, Stamp(0, F.current_timestamp(), *model.key)
    deployment = Deployment(spark, config.model)
    tolerance = Tolerance(config.model.time_limit_ms / 1000, ALWAYS_ALLOWED, config.model.failure_limit, SLACK)
    side = Side(deployment.serve(model), model.inputs, config.model.picks, tolerance)
    arrow = deployment.score_with(definition.contract, definition.features, model, tolerance)
    pandas = by_pandas_udf(definition, side)
    table = Table(str(home / "scored_clicks"))
    table.create(spark, layout.scored, [layout.time, layout.visitor, "batch_id"], {}, checks=FINITE_SCORE)

    def raw() -> DataFrame:
        return read_batch(spark, f"{home}/landing")

    def write(outcomes: DataFrame) -> None:
        counted = Observation()
        table.append(pipeline.scored(outcomes.observe(counted, *pipeline.census(layout)), layout, stamp))
        # The rows that came to the driver are part of what it costs.
        assert counted.get["rejected"] < counted.get["read"]

    return {
        "Arrow UDF (the product)": lambda: write(pipeline.with_outcomes(raw(), arrow)),
        "pandas UDF": lambda: write(pipeline.with_outcomes(raw(), pandas)),
        "mapInArrow": lambda: write(by_map_in_arrow(raw(), definition, side)),
    }


def main() -> None:
    """Print the table."""
    a = arguments(__doc__, CLICKS, ROUNDS)
    spark = build_session("benchmark-udf")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        records = land(home / "landing", a.clicks, SEED, FAULTS)
        Console().print(as_table(costs(arms(spark, home), records, a.rounds)))


if __name__ == "__main__":
    main()
