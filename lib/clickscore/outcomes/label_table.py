"""Labels: a second table that says what became of clicks or visitors, such as orders that come from the till.

A label is about the units of its click, or of its visitor, whose time it falls into, and one success makes each of them
a success. The newest label is a clock as well: while the table stands still, nobody becomes a failure.
"""

from dataclasses import dataclass

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.config.fields import nearest
from clickscore.config.outcome import Labels, Outcome
from clickscore.errors import ConfigError, TableError, gist
from clickscore.outcomes.units import FIRST, SUCCEEDED, UNIT, UNTIL, condition, follow
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table

KEY, AT, IS_SUCCESS = "_key", "_labelled_at", "_is_success"
"""Columns of a label: the click or the visitor that it is about, when it happened, and whether it is a success."""
_KEY_OF_CLICK = "_key_of_click"


@dataclass(frozen=True)
class LabelTable:
    """The labels, as they are now.

    Attributes:
        table: where they are.
        version: of the Delta table; None for Parquet files, which have none.
        found: its rows.
        columns: ``_key STRING``, ``_labelled_at TIMESTAMP`` and ``_is_success BOOLEAN`` of a row.
        field: the field of a click that the key is found in.
        time: the field of a click with the event time.
    """

    table: Table
    version: int | None
    found: DataFrame
    columns: tuple[Column, ...]
    field: str
    time: str

    def clock_us(self, clicks_us: int | None) -> int:
        """Return how far both clicks and labels are known, in microseconds since 1970; 0 where there are none."""
        [[labels_us]] = self.found.select(*self.columns).agg(F.unix_micros(F.max(AT))).collect()
        return min(clicks_us or 0, labels_us or 0)

    def units(self, clicks: DataFrame, found: DataFrame) -> DataFrame:
        """Return the units, ``_unit``, that rows of the table are about.

        Args:
            clicks: from ``with_unit``.
            found: the rows.
        """
        keys = found.select(*self.columns).select(KEY).distinct()
        return clicks.join(keys, self._key() == F.col(KEY), "left_semi").select(UNIT)

    def complete(self, followed: DataFrame) -> DataFrame:
        """Let the units of clicks from ``follow`` also succeed by their labels; the rows stay the same."""
        successes = self.found.select(*self.columns).where(IS_SUCCESS)
        mine = followed.where(F.col(quoted(self.time)) < F.col(UNTIL)).select(
            UNIT, FIRST, UNTIL, self._key().alias(_KEY_OF_CLICK)
        )
        is_in_time = (F.col(AT) >= F.col(FIRST)) & (F.col(AT) < F.col(UNTIL))
        labelled = mine.distinct().join(successes, (F.col(_KEY_OF_CLICK) == F.col(KEY)) & is_in_time)
        first = labelled.groupBy(UNIT).agg(F.min(AT).alias(AT))
        return followed.join(first, UNIT, "left").withColumn(SUCCEEDED, F.least(SUCCEEDED, AT)).drop(AT)

    def _key(self) -> Column:
        return F.col(quoted(self.field)).cast("string")


def read_labels(spark: SparkSession, outcome: Outcome, click_id: str, visitor: str, time: str) -> LabelTable | None:
    """Return the labels; None where the configuration names none.

    Args:
        spark: the session.
        outcome: what a success is.
        click_id: the field that tells clicks apart.
        visitor: the field that tells visitors apart.
        time: the field with the event time.

    Raises:
        WiringError: if there is no such table, or it does not have what the configuration names.
    """
    labels = outcome.labels
    if labels is None:
        return None
    table = Table(labels.table)
    if table.columns(spark):
        version = int(table.delta(spark).history(1).select("version").collect()[0][0])
        found = table.read(spark, version)
    else:
        version, found = None, _read_parquet(spark, table)
    field = click_id if labels.id else visitor
    return LabelTable(table, version, found, _columns(found, labels), field, time)


def _read_parquet(spark: SparkSession, table: Table) -> DataFrame:
    try:
        return spark.read.parquet(table.location)
    except AnalysisException as error:
        raise TableError(
            f"outcome.labels.table: expected a Delta table or a folder of Parquet files, found neither at "
            f"{table.name}: {gist(error)} Correct the name, or write the table first."
        ) from None


def _columns(found: DataFrame, labels: Labels) -> tuple[Column, ...]:
    wanted = {"id" if labels.id else "visitor": labels.id or labels.visitor or "", "time": labels.time}
    problems = [
        f"outcome.labels.{key}: {labels.table} has no column {name}{nearest(name, found.columns)}"
        for key, name in wanted.items()
        if name not in found.columns
    ]
    if not problems and not isinstance(kind := found.schema[labels.time].dataType, T.TimestampType):
        problems.append(f"outcome.labels.time: expected a TIMESTAMP, found {labels.time} {kind.simpleString()}")
    if problems:
        raise ConfigError("the configuration", problems)
    key, time = (F.col(quoted(name)) for name in wanted.values())
    is_success = condition(found, labels.success, "outcome.labels.success", f"a row of {labels.table}")
    return key.cast("string").alias(KEY), time.alias(AT), is_success.alias(IS_SUCCESS)


def follow_all(clicks: DataFrame, outcome: Outcome, time: str, labels: LabelTable | None) -> DataFrame:
    """Add to each click what its unit did, by its clicks and by its labels; see ``units.follow``."""
    followed = follow(clicks, outcome, time)
    return labels.complete(followed) if labels else followed
