"""Scored clicks get the outcome of their unit: from the table ``outcomes``, or from the clicks where there is none."""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.run import Config
from clickscore.outcomes import joined
from clickscore.outcomes.label_table import follow_all, read_labels
from clickscore.outcomes.units import UNIT, label, newest, with_unit
from clickscore.storage.schemas import quoted
from clickscore.storage.table import Table


def with_outcome(spark: SparkSession, config: Config, column: str) -> DataFrame:
    """Return the scored clicks with what became of them; no row comes or goes.

    Args:
        spark: the session.
        config: the run.
        column: the name of the DOUBLE that is added: 1 if the click's unit has succeeded, 0 if not, null while it is
            open, for a click without a unit, and where the configuration does not say what a success is.

    Raises:
        WiringError: if the definition does not fit the clicks, or ``outcomes`` is of another one.
    """
    scored = Table(config.output.scored)
    rows, time, outcome = scored.read(spark), config.click.time, config.outcome
    unknown = F.lit(None).cast("double").alias(column)
    if outcome is None:
        return rows.select("*", unknown)
    field = outcome.field(config.click.id, config.click.visitor)
    clicks = with_unit(rows, field)
    without_unit = rows.where(F.col(quoted(field)).isNull()).select("*", unknown)
    table = scored.beside(joined.NAME)
    if table.columns(spark):  # so that a promotion also works through Spark Connect
        joined.check(spark, table, scored.stream(spark) or "", outcome)
        known = table.read(spark).select(F.col("unit_id").alias(UNIT), F.col("until").alias("_until"), "success")
        value = F.when(F.col(quoted(time)) < F.col("_until"), F.col("success").cast("double"))
        found = clicks.join(known, UNIT, "left")
    else:
        [[clock_us]] = rows.agg(newest(time, joined.SCORED_AT)).collect()
        labels = read_labels(spark, outcome, config.click.id, config.click.visitor, time)
        clock_us = labels.clock_us(clock_us) if labels else clock_us
        found, value = follow_all(clicks, outcome, time, labels), label(time, clock_us or 0)
    return found.select(*(F.col(quoted(name)) for name in rows.columns), value.alias(column)).unionByName(without_unit)
