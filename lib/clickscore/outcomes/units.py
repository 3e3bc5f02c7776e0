"""Clicks become units, and a unit succeeds, fails, or is still open: pure functions from frames to frames.

The clock is the data's own time, the newest event time in the table, and never that of the machine. So the same clicks
give the same outcomes whenever they are asked for, also for the clicks of last year; and a stream that is behind, or
that stands still, does not turn units into failures whose success waits in its source.

A unit is open until its time is over, also where it has succeeded already. Else, near the end of the data, all
successes and no failures would be known, and each rate would be too high.
"""

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.window import Window

from clickscore.config.fields import nearest
from clickscore.config.outcome import Outcome
from clickscore.errors import ConfigError, gist
from clickscore.storage.schemas import quoted

UNIT, FIRST, UNTIL, SUCCEEDED = "_unit", "_first_click", "_until", "_succeeded_at"
"""Columns that ``follow`` adds; names with an underscore never reach a table."""
OPEN, CLOSED, CENSORED = "open", "closed", "censored"

_SUCCEEDS, _SILENT, _BREAKS = "_succeeds", "_silent", "_breaks"
_MS = 1_000


def with_unit(clicks: DataFrame, field: str) -> DataFrame:
    """Add ``_unit STRING``, the unit of each click; clicks whose field is null belong to none, and are left out.

    Raises:
        ConfigError: if a click has no such field, or one that identifies nothing.
    """
    if field not in clicks.columns:
        unknown = f"outcome: a click has no field {field}{nearest(field, clicks.columns)}; correct outcome.session"
        raise ConfigError("the configuration", [unknown])
    kind = clicks.schema[field].dataType
    if not isinstance(kind, T.StringType | T.IntegralType):
        found = f"outcome: expected a text or a whole number as the unit, found {field} {kind.simpleString()}"
        raise ConfigError("the configuration", [f"{found}; name another field in outcome.session"])
    unit = F.col(quoted(field)).cast("string")
    return clicks.withColumn(UNIT, unit).where(F.col(UNIT).isNotNull())


def follow(clicks: DataFrame, outcome: Outcome, time: str) -> DataFrame:
    """Add to each click what its unit did; the rows stay the same.

    Args:
        clicks: from ``with_unit``, all clicks of each unit.
        outcome: what a success is.
        time: the field with the event time.

    Returns:
        The clicks with ``_first_click TIMESTAMP``, ``_until TIMESTAMP``, when the time of the unit is over, and
        ``_succeeded_at TIMESTAMP``, that of the first success before then, or null. A click belongs to its unit if it
        happened before ``_until``.

    Raises:
        ConfigError: if ``outcome.success`` is no condition on a click.
    """
    at, unit = F.col(quoted(time)), Window.partitionBy(UNIT)
    # The condition is evaluated first: later, columns that it must not name are there.
    succeeds = condition(clicks, outcome.success, "outcome.success", "the fields of a click")
    rows = clicks.withColumn(_SUCCEEDS, succeeds).withColumn(FIRST, F.min(at).over(unit))
    if outcome.window_ms:
        rows = rows.withColumn(UNTIL, F.col(FIRST) + _interval(outcome.window_ms))
    else:
        silence = _interval(outcome.silence_ms or 0)
        in_order = unit.orderBy(at)
        rows = rows.withColumn(_SILENT, (at >= F.lag(at).over(in_order) + silence).cast("int"))
        rows = rows.withColumn(_BREAKS, F.coalesce(F.sum(_SILENT).over(in_order), F.lit(0)))
        rows = rows.withColumn(UNTIL, F.max(F.when(F.col(_BREAKS) == 0, at)).over(unit) + silence)
    first_success = F.min(F.when(F.col(_SUCCEEDS) & (at < F.col(UNTIL)), at)).over(unit)
    return rows.withColumn(SUCCEEDED, first_success).drop(_SUCCEEDS, _SILENT, _BREAKS)


def success(until: str, succeeded: str, clock_us: int) -> Column:
    """Return whether a unit has succeeded, BOOLEAN: null while it is open.

    Args:
        until: column with the time at which it is over.
        succeeded: column with the time of its first success.
        clock_us: the newest event time of all clicks, in microseconds since 1970.
    """
    return F.when(F.col(until) <= F.timestamp_micros(F.lit(clock_us)), F.col(succeeded).isNotNull())


def label(time: str, clock_us: int) -> Column:
    """Return the outcome of a click from ``follow``, DOUBLE: 1 if its unit has succeeded, 0 if not, else null.

    It is null while the unit is open, and for a click after the time of the unit, which belongs to none.

    Args:
        time: the field with the event time.
        clock_us: the newest event time of all clicks, in microseconds since 1970.
    """
    is_its_own = F.col(quoted(time)) < F.col(UNTIL)
    return F.when(is_its_own, success(UNTIL, SUCCEEDED, clock_us)).cast("double")


def outcomes(followed: DataFrame, time: str, clock_us: int, has_ended: bool) -> DataFrame:
    """Return one row per unit, with the columns of ``schemas.OUTCOMES``.

    Args:
        followed: clicks from ``follow``.
        time: the field with the event time.
        clock_us: the newest event time of all clicks, in microseconds since 1970.
        has_ended: whether no more clicks will come; units that are open are ``censored`` then.
    """
    at = F.col(quoted(time))
    units = followed.where(at < F.col(UNTIL)).groupBy(F.col(UNIT).alias("unit_id")).agg(
        F.min(at).alias("first_click"), F.max(at).alias("last_click"), F.count("*").alias("clicks"),
        F.min(UNTIL).alias("until"), F.min(SUCCEEDED).alias("succeeded_at"),
    )  # fmt: skip
    is_known = F.col("success").isNotNull()
    return units.withColumn("success", success("until", "succeeded_at", clock_us)).select(
        "unit_id",
        F.when(is_known, CLOSED).otherwise(CENSORED if has_ended else OPEN).alias("state"),
        "success", "first_click", "last_click", "clicks", "until", "succeeded_at",
        F.when(is_known, F.col("until")).alias("known_at"),
    )  # fmt: skip


def newest(time: str, scored_at: str | None = None) -> Column:
    """Return the clock, in microseconds since 1970, as an aggregate over all clicks.

    Args:
        time: the field with the event time.
        scored_at: column with the time of scoring, if there is one: no click happened after it was scored, so that one
            click with a time of next year does not close every unit.
    """
    at = F.col(quoted(time))
    return F.unix_micros(F.max(at if scored_at is None else F.least(at, F.col(scored_at))))


def _interval(milliseconds: int) -> Column:
    return F.make_dt_interval(secs=F.lit(milliseconds / _MS))


def condition(rows: DataFrame, text: str, where: str, about: str) -> Column:
    """Return an SQL condition as BOOLEAN.

    Args:
        rows: what it is about.
        text: the condition.
        where: the key of the configuration, for the message.
        about: what it may name, for the message.

    Raises:
        ConfigError: if it is none.
    """
    expected = f"{where}: expected a Spark SQL condition on {about}"
    try:
        [found] = rows.select(F.expr(text).alias(_SUCCEEDS)).schema
    except AnalysisException as error:
        raise ConfigError("the configuration", [f"{expected}: {gist(error)}"]) from None
    if not isinstance(found.dataType, T.BooleanType | T.NumericType):
        raise ConfigError("the configuration", [f"{expected}, found a {found.dataType.simpleString()}"])
    return F.expr(text).cast("boolean")
