"""The model timeline: from which micro-batch which model version scores, pinned before the first click is scored."""

from collections.abc import Callable
from datetime import datetime, timezone

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.registry import ModelVersion
from clickscore.schemas import MODEL_TIMELINE
from clickscore.tables import Table


class Timeline:
    """Chooses the model version of each micro-batch, and makes the choice durable before it counts.

    A micro-batch that was planned in an earlier run gets the version that the timeline says: some of its rows may be
    in the tables already. Any other gets the current version; a row is written only when that is a new one.
    """

    def __init__(
        self, spark: SparkSession, table: Table, current: ModelVersion, fetch: Callable[[str, str], ModelVersion]
    ) -> None:
        """Begin with the timeline that earlier runs have written.

        Args:
            spark: the session.
            table: the timeline, which exists.
            current: the version for micro-batches to come.
            fetch: gets another version by name and version, for a micro-batch that it was pinned for.
        """
        self._spark, self._table, self._current, self._fetch = spark, table, current, fetch
        self._latest: tuple[str, str] | None = None

    def model_for(self, batch_id: int, planned_before: bool, stream: str) -> ModelVersion:
        """Return the version that scores a micro-batch; afterwards it is in the timeline.

        Args:
            batch_id: the micro-batch.
            planned_before: whether an earlier run may have begun it.
            stream: id of the stream that writes the timeline.
        """
        current = (self._current.name, self._current.version)
        if planned_before or (self._latest is None and batch_id > 0):
            self._latest = self._pinned(batch_id)
        if self._latest and (planned_before or self._latest == current):
            return self._current if self._latest == current else self._fetch(*self._latest)
        self._pin(batch_id, stream)
        self._latest = current
        return self._current

    def _pinned(self, batch_id: int) -> tuple[str, str] | None:
        rows = self._table.read(self._spark).where(F.col("from_batch") <= batch_id)
        row = rows.orderBy(F.desc("pinned_at")).select("model_name", "model_version").first()
        return (row[0], row[1]) if row else None

    def _pin(self, batch_id: int, stream: str) -> None:
        model = self._current
        row = (batch_id, model.name, model.version, model.run_id, model.digest, datetime.now(timezone.utc))
        self._table.append(self._spark.createDataFrame([row], MODEL_TIMELINE), stream, batch_id)
