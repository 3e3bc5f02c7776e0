"""Scoring without Spark as an arm: DuckDB parses and computes the features, the Booster scores, delta-rs writes.

Of DuckDB, polars and pyarrow it was the fastest, see README.md.
"""

import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from benchmarks.throughput.entrants import Arm, table_scores
from benchmarks.throughput.load import Load, Setting, batches
from benchmarks.throughput.without_spark import TIME, Champion, Floats, append, fetch_champion, read_fields

from clickscore.scoring.features import select_list

WEEKDAY = "CREATE MACRO spark_weekday(time) AS isodow(time) - 1"
"""Spark counts weekdays from Monday, DuckDB from Sunday; the rest of the features file means the same to both."""
FEATURES_FILE = Path("conf/features.sql")


class Parser:
    """Files of JSON lines to clicks and their features, in one query; a record that is no click is left out."""

    def __init__(self) -> None:
        """Connect to a database in memory."""
        self._fields = read_fields()
        self._database = duckdb.connect()
        self._database.execute(WEEKDAY)
        names = ", ".join(f'"{field.name}"' for field in self._fields)
        required = " AND ".join(f"{field.name} IS NOT NULL" for field in self._fields if field.is_required)
        self._query = (
            f"SELECT {names}, filename, NULL::BIGINT, {_features([field.name for field in self._fields])} "
            f"FROM read_json($files, format='newline_delimited', columns=$columns, filename=true, ignore_errors=true) "
            f"WHERE {required}"
        )

    def parse(self, files: list[str]) -> tuple[pa.Table, pa.Table]:
        """Return the clicks with their lineage, and their features."""
        columns = {field.name: field.type for field in self._fields}
        found = self._database.sql(self._query, params={"files": files, "columns": columns}).to_arrow_table()
        names = [*columns, "source", "source_offset"]
        clicks = pa.table(found.columns[: len(names)], names)
        time = names.index("event_time")
        clicks = clicks.set_column(time, "event_time", clicks[time].cast(TIME))
        return clicks, pa.table(found.columns[len(names) :], found.column_names[len(names) :])


def _features(fields: list[str]) -> str:
    """Return the select list of the features, with the fields in quotes: DuckDB has more reserved words than Spark."""
    features = select_list(FEATURES_FILE.read_text(encoding="utf-8"), str(FEATURES_FILE))
    quoted = re.sub(rf"\b({'|'.join(fields)})\b", r'"\1"', features)
    return quoted.replace("weekday(", "spark_weekday(")


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
