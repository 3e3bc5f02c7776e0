"""Times are minutes since midnight; a unit is followed for 60 minutes, or until it was silent for 30."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.config.outcome import Outcome
from clickscore.errors import ConfigError
from clickscore.outcomes.units import follow, label, newest, outcomes, with_unit

MIDNIGHT = datetime(2026, 3, 1)
WINDOW, SILENCE = ("window", "60 minutes"), ("silence", "30 minutes")
Rows = Sequence[tuple[str | None, int, bool]]


def outcome(until: tuple[str, str], success: str = "sold") -> Outcome:
    return Outcome.model_validate(dict([("success", success), ("unit", "session"), ("session", "v`s"), until]))


def clicks(spark: SparkSession, rows: Rows) -> Any:
    at = [(unit, MIDNIGHT + timedelta(minutes=minute), sold) for unit, minute, sold in rows]
    return spark.createDataFrame(at, "`v``s` STRING, `a.t` TIMESTAMP, sold BOOLEAN")


def found(spark: SparkSession, rows: Rows, until: tuple[str, str], clock: int, has_ended: bool = False) -> list[Any]:
    """Return unit, state, success, last click, clicks, until, succeeded_at and known_at of each unit."""
    followed = follow(with_unit(clicks(spark, rows), "v`s"), outcome(until), "a.t")
    [[clock_us]] = clicks(spark, [(None, clock, False)]).agg(newest("a.t")).collect()
    units = outcomes(followed, "a.t", clock_us, has_ended).orderBy("unit_id").drop("first_click")
    return [
        tuple(int((each - MIDNIGHT).total_seconds()) // 60 if isinstance(each, datetime) else each for each in row)
        for row in units.collect()
    ]


def test_unit_is_closed_when_its_window_is_over_and_open_before_also_if_it_has_succeeded(spark: SparkSession) -> None:
    rows = [("bought", 0, False), ("bought", 10, True), ("looked", 5, False), ("late", 61, True), ("last", 62, False)]
    assert found(spark, rows, WINDOW, clock=65) == [
        ("bought", "closed", True, 10, 2, 60, 10, 60),
        ("last", "open", None, 62, 1, 122, None, None),
        ("late", "open", None, 61, 1, 121, 61, None),
        ("looked", "closed", False, 5, 1, 65, None, 65),
    ]


def test_click_after_the_window_does_not_belong_to_the_unit(spark: SparkSession) -> None:
    rows = [("a", 0, False), ("a", 59, False), ("a", 60, True)]
    assert found(spark, rows, WINDOW, clock=60) == [("a", "closed", False, 59, 2, 60, None, 60)]


def test_silence_ends_a_unit_and_clicks_within_it_prolong_it(spark: SparkSession) -> None:
    rows = [("a", 0, False), ("a", 29, False), ("a", 58, True), ("b", 0, False), ("b", 30, True)]
    assert found(spark, rows, SILENCE, clock=87) == [
        ("a", "open", None, 58, 3, 88, 58, None),
        ("b", "closed", False, 0, 1, 30, None, 30),
    ]


def test_units_that_are_open_when_the_data_has_ended_are_censored(spark: SparkSession) -> None:
    rows = [("a", 0, False), ("b", 30, True)]
    assert found(spark, rows, WINDOW, clock=60, has_ended=True) == [
        ("a", "closed", False, 0, 1, 60, None, 60),
        ("b", "censored", None, 30, 1, 90, 30, None),
    ]


def test_label_of_a_click_is_that_of_its_unit_and_null_outside_of_it(spark: SparkSession) -> None:
    rows = [("a", 0, False), ("a", 10, True), ("a", 60, False), ("b", 20, True), (None, 0, True)]
    followed = follow(with_unit(clicks(spark, rows), "v`s"), outcome(WINDOW), "a.t")
    [[clock_us]] = clicks(spark, rows).agg(newest("a.t")).collect()
    labels = followed.select("_unit", "`a.t`", label("a.t", clock_us)).orderBy("_unit", "`a.t`").collect()
    assert [(row[0], row[2]) for row in labels] == [("a", 1.0), ("a", 1.0), ("a", None), ("b", None)]


def test_order_of_the_rows_does_not_matter(spark: SparkSession) -> None:
    rows = [("a", minute, minute == 12) for minute in (40, 0, 12, 12, 33, 75)]
    assert found(spark, rows, SILENCE, clock=200) == found(spark, rows[::-1], SILENCE, clock=200)


def test_clock_does_not_follow_a_click_into_the_future(spark: SparkSession) -> None:
    rows = clicks(spark, [("a", 0, False), ("b", 1_000_000, False)])
    scored = rows.withColumn("scored_at", F.lit(MIDNIGHT + timedelta(minutes=5)))
    assert (
        scored.agg(newest("a.t", "scored_at")).collect()[0][0]
        == rows.agg(F.unix_micros(F.min("`a.t`") + F.expr("INTERVAL 5 MINUTES"))).collect()[0][0]
    )


def test_unit_that_is_no_field_is_refused_with_the_nearest_one(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"a click has no field solt; did you mean sold\?; correct outcome\.session"):
        with_unit(clicks(spark, []), "solt")
    with pytest.raises(ConfigError, match="expected a text or a whole number as the unit, found sold boolean"):
        with_unit(clicks(spark, []), "sold")


@pytest.mark.parametrize("success", ["sold = ", "gone", "`v``s`", "_unit IS NULL AND gone"])
def test_success_that_is_no_condition_is_refused(spark: SparkSession, success: str) -> None:
    with pytest.raises(ConfigError, match=r"outcome\.success: expected a Spark SQL condition on the fields of a click"):
        follow(with_unit(clicks(spark, []), "v`s"), outcome(WINDOW, success), "a.t")
