"""Scoring in SQL: the scorer as a function of a session, for a column of raw records."""

import tempfile
from dataclasses import replace
from math import inf
from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.config.run import Config
from clickscore.registry.registry import fetch_current
from clickscore.scoring.features import check_features
from clickscore.scoring.isolation import Tolerance
from clickscore.stream.definition import read_definition
from clickscore.stream.deployment import Deployment

__all__ = ["register"]

SCORE_CLICK = "score_click"


def register(spark: SparkSession, config: Config) -> None:
    """Make ``score_click(value)`` a SQL function of the session.

    It takes raw records, ``BINARY``, and returns for each its outcome, ``STRUCT``: the click's fields, the scores,
    ``reason`` and ``detail``, as ``scoring.scorer.outcome_type`` says. The model is the champion of now: it does not
    follow its alias. A click that the model fails on has the reason ``scoring_failed``, however many there are.

    Example::

        udf.register(spark, load(Path("conf/local.yaml")))
        spark.sql("SELECT outcome.score, outcome.reason FROM (SELECT score_click(value) AS outcome FROM records)")

    Args:
        spark: the session.
        config: the run whose contract, features and model it is.

    Raises:
        WiringError: if they cannot be used, or do not fit together.
    """
    definition, deployment = read_definition(config), Deployment(spark, config.model)
    with tempfile.TemporaryDirectory(prefix="clickscore-") as folder:
        model = fetch_current(config.model, Path(folder))
        produced = definition.features.schema
        check_features(produced, model.inputs, str(config.features), produced if config.model.challenger else None)
        deployment.warm_up(model, tuple(config.model.picks.values()))
        tolerance = Tolerance(config.model.time_limit_ms / 1000, count=inf)
        model = replace(model, baseline=None)  # nobody adds up counts here
        score = deployment.score_with(definition.contract, definition.features, model, tolerance)
    spark.udf.register(SCORE_CLICK, score.udf)
