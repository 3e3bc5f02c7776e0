"""The table ``model_decisions``: each decision about the versions of a model, also that nothing changes, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.errors import TableError
from clickscore.storage.schemas import column
from clickscore.storage.table import STREAM_PROPERTY, Table
from clickscore.storage.table_shape import check_table

NAME = "model_decisions"
Choice = Literal["waited", "trained", "refused", "promoted"]
WAITED: Choice = "waited"
TRAINED: Choice = "trained"
REFUSED: Choice = "refused"
PROMOTED: Choice = "promoted"

_DECISION = (
    "retrain.py: waited, trained (a challenger); promote_model.py: refused (the challenger), promoted (the alias moves)"
)
MODEL_DECISIONS = T.StructType(
    [
        column("decided_at", T.TimestampType(), "When the job decided it, UTC", nullable=False),
        column("decision", T.StringType(), _DECISION, nullable=False),
        column("reason", T.StringType(), "Why", nullable=False),
        column("model_name", T.StringType(), "Registered model", nullable=False),
        column("model_version", T.StringType(), "Version that was the champion", nullable=False),
        column("challenger_version", T.StringType(), "Version that was trained, refused or promoted; null for waited"),
        column("evidence", T.MapType(T.StringType(), T.DoubleType()), "What was measured, by name", nullable=False),
    ]
)


@dataclass(frozen=True)
class ModelDecisions:
    """The decisions about the model of one stream.

    Attributes:
        spark: the session.
        table: the table, which need not be there.
        stream: the id of the stream.
    """

    spark: SparkSession
    table: Table
    stream: str

    @classmethod
    def of(cls, spark: SparkSession, scored: Table) -> "ModelDecisions":
        """Return those beside a table of scored clicks.

        Raises:
            TableError: if the table is of another stream, or has other columns.
        """
        found = cls(spark, scored.beside(NAME), scored.stream(spark) or "")
        if found.is_there:
            check_table(found.table.name, MODEL_DECISIONS, found.table.read(spark).schema)
            if (other := found.table.stream(spark)) != found.stream:
                raise TableError(
                    f"{found.table.name} is of another stream: expected {found.stream}, found {other}. All tables of a "
                    f"run stand side by side: name the right output.scored, or move {found.table.name} away."
                )
        return found

    @property
    def is_there(self) -> bool:
        """Whether something was decided before."""
        return bool(self.table.columns(self.spark))

    def read(self) -> DataFrame:
        """Return the decisions; none where there is no table."""
        return self.table.read(self.spark) if self.is_there else self.spark.createDataFrame([], MODEL_DECISIONS)

    def last_training(self, model: str, version: str) -> Mapping[str, float]:
        """Return the evidence for which the champion has last got a challenger; nothing if it never did."""
        trained = (F.col("decision") == TRAINED) & (F.col("model_name") == model) & (F.col("model_version") == version)
        row = self.read().where(trained).orderBy(F.desc("decided_at")).select("evidence").first()
        return dict(row.evidence) if row else {}

    def next_id(self) -> str:
        """Return what names the next decision until it is written down: the table, and when the last one was made."""
        self._create()
        [[table]] = self.spark.sql(f"DESCRIBE DETAIL {self.table.sql_name}").select("id").collect()
        [[newest_us]] = self.read().agg(F.unix_micros(F.max("decided_at"))).collect()
        return f"{table} after {newest_us}"

    def add(
        self, decision: Choice, reason: str, model: str, version: str, challenger: str | None,
        evidence: Mapping[str, float],
    ) -> None:  # fmt: skip
        """Write a decision down.

        Args:
            decision: what is done.
            reason: why.
            model: name of the registered model.
            version: the champion.
            challenger: the version that it is about.
            evidence: what was measured.
        """
        self._create()
        row = (datetime.now(timezone.utc), decision, reason, model, version, challenger, dict(evidence))
        self.table.append(self.spark.createDataFrame([row], MODEL_DECISIONS).coalesce(1))

    def _create(self) -> None:
        self.table.create(self.spark, MODEL_DECISIONS, ["decided_at"], {STREAM_PROPERTY: self.stream})
