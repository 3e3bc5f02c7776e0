from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from clickscore.config.model import Allow
from clickscore.registry.trust import check_files
from clickscore.training.algorithms import LEARNERS

RNG = np.random.default_rng(1)
FEATURES = pd.DataFrame({"price": RNG.uniform(0, 10, 2_000), "noise": RNG.uniform(0, 1, 2_000)})
LABEL = (FEATURES["price"].to_numpy() > 5).astype(np.float64)


@pytest.mark.parametrize("name", LEARNERS)
def test_learner_finds_what_there_is_to_learn(name: str) -> None:
    learner = LEARNERS[name]
    model = learner.fit(FEATURES, LABEL)
    scores = learner.predict(model, FEATURES)
    assert scores.shape == (2_000,)
    assert ((scores > 0.5) == LABEL).mean() > 0.99
    assert learner.gain(model).idxmax() == "price"


@pytest.mark.parametrize("name", LEARNERS)
def test_what_a_learner_logs_needs_no_trust(name: str, tmp_path: Path) -> None:
    learner = LEARNERS[name]
    argument = {learner.argument: learner.fit(FEATURES, LABEL)}
    getattr(mlflow, learner.flavor).save_model(**argument, path=str(tmp_path / "m"), pip_requirements=[])
    check_files(tmp_path / "m", Allow(), False, name)


def test_absent_features_are_no_obstacle() -> None:
    gaps = FEATURES.copy()
    gaps.loc[::3, "price"] = np.nan
    for learner in LEARNERS.values():
        assert np.isfinite(learner.predict(learner.fit(FEATURES, LABEL), gaps)).all()
