"""The arms of `make bench`: what each one is, and which module has it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
from benchmarks.throughput.load import Load
from deltalake import DeltaTable

PRODUCT = "product"
SCORED = "scored_clicks"
"""Folder below the output of a run where its table is."""
SAMPLE_BELOW = "02"
"""Clicks whose id, random hexadecimal digits, is below this are compared: one in 128."""


class Arm(Protocol):
    """A way to score clicks, ready to run in a process of its own."""

    def run(self, load: Load, out: Path) -> None:
        """Score the clicks, into tables below an empty folder."""

    def scores(self, out: Path) -> pa.Table | None:
        """Return ``event_id`` and ``score`` of what the last run has scored; None if it keeps no rows."""


def table_scores(out: Path) -> pa.Table:
    """Return ``event_id`` and ``score`` of the Delta table of a run, read without Spark."""
    return DeltaTable(out / SCORED).to_pyarrow_table(columns=["event_id", "score"])


@dataclass(frozen=True)
class Entrant:
    """An arm as the program that starts them knows it.

    Attributes:
        module: has it, in ``ARMS``, below ``throughput.arms``.
        about: what it is.
        is_essential: belongs to `make bench-quick`.
        needs_broker: reads from Kafka.
        is_strict: accepts exactly the clicks that the product accepts.
        has_scores: gives the model's scores.
    """

    module: str
    about: str
    is_essential: bool = False
    needs_broker: bool = False
    is_strict: bool = False
    has_scores: bool = True


ENTRANTS = {
    PRODUCT: Entrant("product", "clickscore from a landing folder", is_essential=True, is_strict=True),
    "product_kafka": Entrant("product", "clickscore from Kafka", needs_broker=True, is_strict=True),
    "recipe": Entrant("recipe", "from_json, spark_udf and the Delta sink, all defaults", is_essential=True),
    "recipe_foreach_batch": Entrant("recipe", "the same in foreachBatch, with a table of rejected records"),
    "spark_floor": Entrant("floor", "clickscore without model and rejected table",
                           is_essential=True, is_strict=True, has_scores=False),
    "parse_floor": Entrant("floor", "clickscore's decoding alone", has_scores=False),
    "no_spark": Entrant("duckdb", "DuckDB, Booster and delta-rs", is_essential=True),
    "model_limit": Entrant("model", "Booster on ready arrays, one thread", is_essential=True),
    "model_limit_compiled": Entrant("model", "the same trees, compiled by lleaves"),
    "python_consumer": Entrant("consumer", "confluent-kafka, orjson, Booster and delta-rs", needs_broker=True),
}  # fmt: skip
