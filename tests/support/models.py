"""Real models in a real registry."""

from collections.abc import Callable
from typing import Any

import lightgbm
import mlflow
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from clickscore.drift.baseline import baseline_of
from clickscore.registry.registry import Registry
from clickscore.training.algorithms import LEARNERS
from clickscore.training.registration import register
from clickscore.training.trainable import as_inputs

MODEL = "small_model"


def small_booster(seed: int) -> tuple[lightgbm.Booster, pd.DataFrame]:
    """Return a small model and the features that it was trained on, those of tests/data/features.sql."""
    rng = np.random.default_rng(seed)
    features = pd.DataFrame({"double_price": rng.uniform(0, 200, 500), "quantity": rng.integers(0, 5, 500) * 1.0})
    label = (features["double_price"] + rng.normal(0, 40, 500) > 100).astype(float)
    parameters = {"objective": "binary", "verbosity": -1, "seed": seed, "num_leaves": 8}
    return lightgbm.train(parameters, lightgbm.Dataset(features, label), num_boost_round=10), features


def register_booster(uri: str, seed: int, name: str = MODEL, alias: str = "champion") -> str:
    """Register a version of a small model; the first one gets the alias."""
    booster, features = small_booster(seed)
    baseline = baseline_of(as_inputs(features), booster.predict(features))
    version, _ = register(
        Registry(uri, create=True),
        booster,
        LEARNERS["lightgbm"],
        name,
        alias,
        features.head(2),
        {},
        {},
        {},
        baseline=baseline,
    )
    return version


def log_and_register(
    registry_uri: str, log_model: Callable[..., Any], name: str, alias: str = "champion", **what: Any
) -> str:
    """Register what a flavor of MLflow logs; the alias points to it afterwards."""
    mlflow.set_tracking_uri(registry_uri)
    mlflow.set_registry_uri(registry_uri)
    mlflow.set_experiment(MODEL)
    with mlflow.start_run():
        info = log_model(name="model", registered_model_name=name, pip_requirements=[], **what)
    version = str(info.registered_model_version)
    Registry(registry_uri).set_alias(name, alias, version)
    return version


def register_classifier(registry_uri: str, features: pd.DataFrame, name: str) -> None:
    """Register a scikit-learn classifier of these features, as champion."""
    label = [number % 2 for number in range(len(features))]
    classifier = LogisticRegression().fit(features.to_numpy(), label)
    mlflow.set_tracking_uri(registry_uri)
    mlflow.set_registry_uri(registry_uri)
    mlflow.set_experiment("small_model")
    signature = mlflow.models.infer_signature(features, classifier.predict_proba(features.to_numpy()))
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(classifier, name="model", signature=signature, registered_model_name=name,
                                        pyfunc_predict_fn="predict_proba", pip_requirements=[])  # fmt: skip
    client = mlflow.MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    client.set_registered_model_alias(name, "champion", info.registered_model_version)
