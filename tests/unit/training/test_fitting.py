import numpy as np
import pandas as pd
import pytest

from clickscore.config.training import Training
from clickscore.errors import ModelError
from clickscore.training.fitting import fit, split_by_time
from clickscore.training.trainable import LABEL, VISIT_START


def test_no_visit_has_clicks_on_both_sides_of_the_split() -> None:
    start = pd.to_datetime(["2026-03-01", "2026-03-01", "2026-03-02", "2026-03-08", "2026-03-10", "2026-03-11"])
    examples = pd.DataFrame({"x": range(6), LABEL: [0, 1, 0, 1, 0, 1], VISIT_START: start})
    split = split_by_time(examples, 0.25)
    assert split.features["x"].tolist() == [0, 1, 2, 3]
    assert split.held_out_features["x"].tolist() == [4, 5]


def test_history_with_one_outcome_only_is_refused() -> None:
    start = pd.date_range("2026-03-01", periods=8)
    alike = pd.DataFrame({"x": range(8), LABEL: 0.0, VISIT_START: start})
    for examples, clicks in ((alike, 6), (alike.head(0), 0)):
        with pytest.raises(ModelError, match=f"the {clicks} clicks to learn from, .* do not have both outcomes"):
            split_by_time(examples, 0.25)


def test_model_is_fitted_to_the_named_features_and_judged_on_the_later_visits() -> None:
    rng = np.random.default_rng(1)
    examples = pd.DataFrame({"x": rng.normal(size=2_000), "is_dear": rng.random(2_000) < 0.5, "_score": 1.0})
    examples[LABEL] = (examples["x"] + rng.normal(0, 0.5, 2_000) > 1).astype(float)
    examples[VISIT_START] = pd.date_range("2026-03-01", periods=2_000, freq="min")
    examples.index = pd.Index(range(5_000, 7_000))
    fitted = fit(examples, ["x", "is_dear"], Training(clicks="unused", holdout=0.25))
    assert list(fitted.split.features) == ["x", "is_dear"]
    assert list(fitted.split.held_out_features.index) == list(range(6_500, 7_000))
    assert len(fitted.score) == 500
    assert fitted.metrics["auc"] > 0.9
    assert str(fitted).startswith("trained on 1,500 clicks, evaluated on 500 later ones: auc 0.9")
