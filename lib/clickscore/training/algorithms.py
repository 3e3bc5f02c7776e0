"""The learners: each fits a model to labelled features, and logs it in a format without pickles."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clickscore.training.evaluation import Floats

TREES = 100
SEED = 1


@dataclass(frozen=True)
class Learner:
    """A way to train a model.

    Attributes:
        parameters: as they are written into the run.
        fit: features and label to a model.
        predict: model and features to scores.
        gain: how much each feature has contributed to the model.
        flavor: name of the MLflow flavor that logs it.
        package: the library, whose version is written into the model's requirements.
        argument: what the flavor's ``log_model`` calls the model.
    """

    parameters: dict[str, Any]
    fit: Callable[[pd.DataFrame, Floats], Any]
    predict: Callable[[Any, pd.DataFrame], Floats]
    gain: Callable[[Any], "pd.Series[float]"]
    flavor: str
    package: str
    argument: str


_LIGHTGBM: dict[str, Any] = {
    "objective": "binary",
    "num_leaves": 31,
    "learning_rate": 0.08,
    "min_data_in_leaf": 100,
    "seed": SEED,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
_XGBOOST: dict[str, Any] = {
    "objective": "binary:logistic",
    "max_leaves": 31,
    "grow_policy": "lossguide",
    "eta": 0.08,
    "min_child_weight": 10,
    "seed": SEED,
}


def _fit_lightgbm(features: pd.DataFrame, label: Floats) -> Any:
    import lightgbm

    return lightgbm.train(_LIGHTGBM, lightgbm.Dataset(features, label), num_boost_round=TREES)


def _gain_lightgbm(booster: Any) -> "pd.Series[float]":
    return pd.Series(booster.feature_importance("gain"), booster.feature_name())


def _fit_xgboost(features: pd.DataFrame, label: Floats) -> Any:
    import xgboost

    return xgboost.train(_XGBOOST, xgboost.DMatrix(features, label), num_boost_round=TREES)


def _predict_xgboost(booster: Any, features: pd.DataFrame) -> Floats:
    import xgboost

    return np.asarray(booster.predict(xgboost.DMatrix(features)), dtype=np.float64)


def _gain_xgboost(booster: Any) -> "pd.Series[float]":
    return pd.Series(booster.get_score(importance_type="total_gain"), dtype="float64")


LEARNERS = {
    "lightgbm": Learner(
        parameters=_LIGHTGBM,
        fit=_fit_lightgbm,
        predict=lambda booster, features: np.asarray(booster.predict(features), dtype=np.float64),
        gain=_gain_lightgbm,
        flavor="lightgbm",
        package="lightgbm",
        argument="lgb_model",
    ),
    "xgboost": Learner(
        parameters=_XGBOOST,
        fit=_fit_xgboost,
        predict=_predict_xgboost,
        gain=_gain_xgboost,
        flavor="xgboost",
        package="xgboost-cpu",
        argument="xgb_model",
    ),
}
