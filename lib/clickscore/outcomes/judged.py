"""The clicks that a model version has scored and whose outcome is known: what its scores are judged on."""

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.config.run import Config
from clickscore.outcomes.joined import definition
from clickscore.outcomes.labels import with_outcome
from clickscore.outcomes.measures import Clicks
from clickscore.storage.schemas import quoted

MOST_CLICKS = 1_000_000
"""Clicks that come to the driver, about; those of some units if there are more, which makes intervals little wider."""
_OUTCOME, _UNIT = "_outcome", "_unit"
_SHARES = 1_000_000
"""Parts of the hashes of units, of which a sample takes some."""


def judged_clicks(
    spark: SparkSession, config: Config, model: str, version: str, most: int = MOST_CLICKS
) -> tuple[int, Clicks]:
    """Return how many closed units have clicks that a version has scored, and those clicks.

    Args:
        spark: the session.
        config: the run; needs ``outcome``.
        model: name of the registered model.
        version: its version.
        most: of more clicks, those of some units are returned, the same ones each time.

    Raises:
        WiringError: if the definition does not fit the clicks, or ``outcomes`` is of another one.
    """
    field = definition(config).field(config.click.id, config.click.visitor)
    is_wanted = (F.col("model_name") == model) & (F.col("model_version") == version) & F.col(_OUTCOME).isNotNull()
    rows = with_outcome(spark, config, _OUTCOME).where(is_wanted).select(
        "score", _OUTCOME, F.xxhash64(F.col(quoted(field)).cast("string")).alias(_UNIT)
    )  # fmt: skip
    [[units, clicks]] = rows.agg(F.count_distinct(_UNIT), F.count("*")).collect()
    found = of_some_units(rows, F.col(_UNIT), clicks, most).toPandas()
    score, success = (found[name].to_numpy(np.float64) for name in ("score", _OUTCOME))
    return units, Clicks(score, success, found[_UNIT].to_numpy(np.int64))


def of_some_units(rows: DataFrame, unit: Column, clicks: int, most: int = MOST_CLICKS) -> DataFrame:
    """Return all clicks, or of too many those of some units, the same ones each time; no unit is parted.

    Args:
        rows: the clicks.
        unit: hash of the unit of a click, BIGINT.
        clicks: how many they are.
        most: how many about are left.
    """
    return rows if clicks <= most else rows.where(F.pmod(unit, F.lit(_SHARES)) < most / clicks * _SHARES)
