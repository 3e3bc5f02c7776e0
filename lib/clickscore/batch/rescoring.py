"""Clicks of ``scored_clicks`` are scored again, with another version or another features file.

The scorer gets the click as the table has it. As JSON it would not be the same: larger, perhaps too large, than the
record that it came from.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.config.run import Config
from clickscore.registry.version import ModelVersion
from clickscore.scoring.contract import Contract
from clickscore.storage.schemas import BATCH_ID, LINEAGE, VALUE, Layout, column, quoted
from clickscore.stream.pipeline import DETAIL, OUTCOME, REASON, Score, with_outcomes

OLD, NEW = "old_score", "new_score"
_ROW = "_row"


_ADDED = (
    column(OLD, T.DoubleType(), "Score in scored_clicks"),
    column(NEW, T.DoubleType(), "Score of the version that scored again; null where it gave none"),
    column("old_model", T.StringType(), "Model of the old score, with its version"),
    column("new_model", T.StringType(), "Model of the new score, with its version"),
    column("features_digest", T.StringType(), "SHA-256 of the features file of the new score"),
    column("reason", T.StringType(), "Why there is no new score, as in rejected_clicks"),
    column("detail", T.StringType(), "What was expected and what was found"),
)


@dataclass(frozen=True)
class Period:
    """Clicks from a time on, before another one, by their own time.

    Attributes:
        since: the begin; None is the first click.
        until: the end, exclusive; None is the last click.
    """

    since: datetime | None = None
    until: datetime | None = None

    def of(self, scored: DataFrame, time: str) -> DataFrame:
        """Return the clicks of the period."""
        rows = scored.where(F.col(quoted(time)) >= F.lit(self.since)) if self.since else scored
        return rows.where(F.col(quoted(time)) < F.lit(self.until)) if self.until else rows

    def __str__(self) -> str:
        """Return the period in words."""
        return f"from {self.since or 'the first click'} to {self.until or 'the last one'}"


def rescored_clicks(layout: Layout) -> T.StructType:
    """Return the columns of a table of clicks that were scored again: the click, both scores, the lineage."""
    click = [T.StructField(field.name, field.dataType, True, field.metadata) for field in layout.click.fields]
    return T.StructType([*click, *_ADDED, *LINEAGE, BATCH_ID])


def plain(contract: Contract) -> Contract:
    """Return the contract of records that are clicks already: each field stands under its own name."""
    return replace(contract, click=pa.schema([field.remove_metadata() for field in contract.click]))


def features_digest(config: Config) -> str:
    """Return the SHA-256 of the features file."""
    return hashlib.sha256(config.features.read_bytes()).hexdigest()


def rescored(scored: DataFrame, layout: Layout, score: Score, model: ModelVersion, digest: str) -> DataFrame:
    """Return one row for each click, with the old and the new score; columns as of ``rescored_clicks``.

    Args:
        scored: rows of ``scored_clicks``.
        layout: the columns of the tables.
        score: the scorer of the plain contract, over structures with the fields of a click.
        model: the version that it scores with.
        digest: of the features file.
    """
    record = F.struct(*[quoted(name) for name in layout.click.names])
    # The row waits aside: a field of a click may have the name of the record.
    outcomes = with_outcomes(scored.select(record.alias(VALUE), F.struct("*").alias(_ROW)), score)
    return outcomes.select(
        *[F.col(f"{_ROW}.{quoted(name)}") for name in layout.click.names],
        F.col(f"{_ROW}.score").alias(OLD),
        F.col(f"{OUTCOME}.score").alias(NEW),
        F.concat_ws(" version ", f"{_ROW}.model_name", f"{_ROW}.model_version").alias("old_model"),
        F.lit(model.label).alias("new_model"),
        F.lit(digest).alias("features_digest"),
        F.col(REASON).alias("reason"),
        F.col(DETAIL).alias("detail"),
        *[F.col(f"{_ROW}.{field.name}") for field in (*LINEAGE, BATCH_ID)],
    )
