"""How a model is trained, and when one is trained again."""

from typing import Annotated, Literal

from pydantic import Field

from clickscore.config.fields import Section, Text

MOST_WEEKS = 5_200
"""A century."""


class Training(Section):
    """How a model is trained, beyond the contract.

    Example::

        training:
          clicks:    build/demo/history
          holdout:   0.25
          algorithm: lightgbm

    Attributes:
        clicks: folder of past clicks, JSON lines as in a folder source; ``jobs/retrain.py`` reads ``scored_clicks``.
        holdout: share of the time range, at its end, that the model is evaluated on.
        algorithm: library that trains the model.
    """

    clicks: Text
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.25
    algorithm: Literal["lightgbm", "xgboost"] = "lightgbm"


class Retrain(Section):
    """When ``jobs/retrain.py`` trains a challenger: enough outcomes are known, and they show that it should.

    Example::

        retrain: {units: 10000, weeks: 8, calibration: 0.15}

    Attributes:
        units: least number of closed units with clicks that the champion has scored, since it last got a challenger.
        weeks: how many weeks of scored clicks the challenger is trained on, up to the newest click.
        calibration: largest calibration error: 0 is right, and 0.15 is about what scores have that are a quarter off.
    """

    units: Annotated[int, Field(gt=0)] = 10_000
    weeks: Annotated[float, Field(gt=0, allow_inf_nan=False, le=MOST_WEEKS)] = 8
    calibration: Annotated[float, Field(gt=0, lt=1)] = 0.15
