"""The table ``stream_metrics``, one row for each micro-batch, and the rows of the checkpoint that are not in it yet.

A commit for each micro-batch would cost a small one as much as its clicks. So its row waits as a file in the
checkpoint, which is there before Spark knows that the micro-batch is done, and goes to the table together with others.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.storage.files import file_names, read_text, remove, write_text
from clickscore.storage.schemas import SCORE_QUANTILES, as_ddl, column

NAME = "stream_metrics"

_COUNTS = T.MapType(T.StringType(), T.LongType())
_BINS, _NAMES = T.ArrayType(T.LongType()), T.ArrayType(T.StringType())
_BINS_BY_NAME = T.MapType(T.StringType(), _BINS)
_SECONDS = T.MapType(T.StringType(), T.DoubleType())

STREAM_METRICS = T.StructType(
    [
        column("batch_id", T.LongType(), "Micro-batch", nullable=False),
        column("began_at", T.TimestampType(), "When the job began with it, UTC", nullable=False),
        column("finished_at", T.TimestampType(), "When its last row was committed, UTC", nullable=False),
        column("read", T.LongType(), "Records read: scored, rejected and duplicates", nullable=False),
        column("scored", T.LongType(), "Rows of scored_clicks", nullable=False),
        column("rejected", T.LongType(), "Rows of rejected_clicks", nullable=False),
        column("duplicates", T.LongType(), "Clicks passed over as their id was seen before; null without deduplicate"),
        column("rejected_by_reason", _COUNTS, "Rejected records by reason; the sum is rejected", nullable=False),
        column("sources", T.LongType(), "Files or partitions that records came from", nullable=False),
        column("phase_seconds", _SECONDS, "Duration by phase; spark. precedes those of Spark", nullable=False),
        column("newest_event_at", T.TimestampType(), "Newest event time of a click, UTC; null without one"),
        column("seconds_behind", T.DoubleType(), "From the arrival of its newest record to finished_at"),
        column("records_behind", T.LongType(), "Records that were in the topic and not read; null for other sources"),
        column("model_name", T.StringType(), "Registered model that scored it", nullable=False),
        column("model_version", T.StringType(), "Its version", nullable=False),
        column("challenger_version", T.StringType(), "Version of the challenger; null where none was active"),
        column("score_mean", T.DoubleType(), "Mean of the scores; null without a scored click"),
        *(
            column(name, T.DoubleType(), f"Score that {share:.0%} of the clicks have at most, approximate")
            for name, share in SCORE_QUANTILES.items()
        ),
        column("sampled", T.LongType(), "Records that were searched for unknown fields", nullable=False),
        column("unknown_fields", _COUNTS, "Fields that the click schema does not have, in the sampled", nullable=False),
        column("cpu_seconds", T.DoubleType(), "CPU time on the driver since the last row that has one; null between"),
        column("score_histogram", _BINS, "Clicks with a score in each bin of the baseline; null without a baseline"),
        column("feature_histograms", _BINS_BY_NAME, "Clicks in each bin, by feature; the last bin is null"),
        column("baseline", T.StringType(), "Baseline of the version, as JSON; in a run's first row of the version"),
        column("drifted", _NAMES, "What had drifted by then; null if it is not known"),
    ]
)

FOLDER = "clickscore-metrics"
"""Folder of the checkpoint with the rows that are not in the table yet, a file for each."""

_TIMES = [field.name for field in STREAM_METRICS if isinstance(field.dataType, T.TimestampType)]
_NEEDED = [field.name for field in STREAM_METRICS if not field.nullable]
_AS_JSON = T.StructType(
    [T.StructField(f.name, T.LongType() if f.name in _TIMES else f.dataType) for f in STREAM_METRICS]
)


@dataclass(frozen=True)
class KeptRows:
    """The rows in the checkpoint.

    Attributes:
        spark: the session.
        folder: where they are.
    """

    spark: SparkSession
    folder: str

    @classmethod
    def of(cls, spark: SparkSession, checkpoint: str) -> "KeptRows":
        """Return those of a checkpoint."""
        return cls(spark, f"{checkpoint}/{FOLDER}")

    def add(self, row: Mapping[str, Any]) -> None:
        """Keep the row of a micro-batch, in the place of the one that it may have."""
        write_text(self.spark, self._file(row["batch_id"]), json.dumps(row))

    def read(self) -> list[dict[str, Any]]:
        """Return the rows, the oldest first.

        Where a run was killed while it wrote one, that is not a row: Spark gives the micro-batch out again. Neither is
        one without a value that the table needs, which no append would get past.
        """
        texts = (read_text(self.spark, f"{self.folder}/{name}") for name in file_names(self.spark, self.folder))
        return sorted(filter(None, map(_as_row, texts)), key=lambda row: int(row["batch_id"]))

    def remove(self, batch_ids: Iterable[int]) -> None:
        """Remove the rows of micro-batches."""
        for batch_id in batch_ids:
            remove(self.spark, self._file(batch_id))

    def _file(self, batch_id: int) -> str:
        return f"{self.folder}/{batch_id}.json"


def _as_row(text: str | None) -> dict[str, Any] | None:
    try:
        row = json.loads(text or "null")
    except ValueError:
        return None
    is_whole = isinstance(row, dict) and all(row.get(name) is not None for name in _NEEDED)
    return row if is_whole else None


def as_frame(spark: SparkSession, rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Return rows as the table has them: one file.

    Args:
        spark: the session.
        rows: by the names of the columns; times in microseconds since 1970, as Spark knows years that Python does not.
    """
    texts = spark.createDataFrame([(json.dumps(row),) for row in rows], "row STRING")
    parsed = texts.select(F.from_json("row", as_ddl(_AS_JSON)).alias("row"))
    columns = (
        (F.timestamp_micros if name in _TIMES else F.col)(f"row.{name}").alias(name) for name in STREAM_METRICS.names
    )
    return parsed.select(*columns).coalesce(1)
