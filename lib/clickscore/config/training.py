"""How a model is trained."""

from typing import Annotated, Literal

from pydantic import Field

from clickscore.config.fields import Section, Text


class Training(Section):
    """How a model is trained, beyond the contract.

    Example::

        training:
          clicks:    build/demo/history
          holdout:   0.25
          algorithm: lightgbm

    Attributes:
        clicks: folder of past clicks, JSON lines as in a folder source.
        holdout: share of the time range, at its end, that the model is evaluated on.
        algorithm: library that trains the model.
    """

    clicks: Text
    holdout: Annotated[float, Field(gt=0, lt=1)] = 0.25
    algorithm: Literal["lightgbm", "xgboost"] = "lightgbm"
