"""Scoring without Spark as an arm: DuckDB parses and computes the features, the Booster scores, delta-rs writes.

Of DuckDB, polars and pyarrow it was the fastest, see README.md.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from benchmarks.common.select import select_list
from benchmarks.throughput.entrants import Arm, table_scores
from benchmarks.throughput.load import Load, Setting, batches
from benchmarks.throughput.without_spark import TIME, Champion, Floats, append, fetch_champion, read_click

from clickscore.scoring.feature_engine import quoted, sql_type

FEATURES_FILE = Path("conf/features.sql")


class Parser:
    """Files of JSON lines to clicks and their features, in one query; a record that is no click is left out."""

    def __init__(self) -> None:
        """Connect to a database in memory."""
        click = read_click()
        self._database = duckdb.connect()
        self._columns = {field.name: sql_type(field.type) for field in click}
        names = ", ".join(map(quoted, click.names))
        required = " AND ".join(f"{quoted(field.name)} IS NOT NULL" for field in click if not field.nullable)
        self._query = (
            f"SELECT {names}, filename, NULL::BIGINT, {select_list(FEATURES_FILE)} "
            f"FROM read_json($files, format='newline_delimited', columns=$columns, filename=true, ignore_errors=true) "
            f"WHERE {required}"
        )

    def parse(self, files: list[str]) -> tuple[pa.Table, pa.Table]:
        """Return the clicks with their lineage, and their features."""
        parameters = {"files": files, "columns": self._columns}
        found = self._database.sql(self._query, params=parameters).to_arrow_table()
        names = [*self._columns, "source", "source_offset"]
        clicks = pa.table(found.columns[: len(names)], names)
        time = names.index("event_time")
        clicks = clicks.set_column(time, "event_time", clicks[time].cast(TIME))
        return clicks, pa.table(found.columns[len(names) :], found.column_names[len(names) :])


class NoSpark:
    """DuckDB, Booster and delta-rs, each with the threads that it takes by default."""

    def __init__(self, setting: Setting, home: Path) -> None:
        """Load the model."""
        self._parser, self._champion = Parser(), fetch_champion(setting, home)

    def run(self, load: Load, out: Path) -> None:
        """Score all clicks, a file of the table for each micro-batch."""
        for batch_id, files in enumerate(batches(load)):
            clicks, features = self._parser.parse(files)
            append(clicks, predict(self._champion, features), self._champion, batch_id, out)

    def scores(self, out: Path) -> pa.Table | None:
        """Return what is in the table."""
        return table_scores(out)


def predict(champion: Champion, features: pa.Table) -> Floats:
    """Return the score of each click."""
    scores: Floats = champion.booster.predict(features)
    return scores


def as_matrix(features: pa.Table) -> Floats:
    """Return features as one array, with NaN for what is not there."""
    return np.column_stack([column.to_numpy() for column in features.columns])


ARMS: dict[str, Callable[[Setting, Path], Arm]] = {"no_spark": NoSpark}
