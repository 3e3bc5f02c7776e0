import numpy as np
import pandas as pd
import pytest

from clickscore.training.evaluation import figures, judge

LABEL = np.array([0.0, 0.0, 1.0, 1.0] * 50)


def test_perfect_scores_have_an_area_of_one_and_no_error() -> None:
    metrics = judge(LABEL, LABEL)
    assert (metrics["auc"], metrics["brier"], metrics["calibration_error"]) == (1.0, 0.0, 0.0)


def test_scores_that_are_too_high_are_badly_calibrated() -> None:
    metrics = judge(LABEL, np.full(200, 0.9) + np.linspace(0, 0.01, 200))
    assert metrics["calibration_error"] == pytest.approx(0.405, abs=0.03)
    assert metrics["auc"] == pytest.approx(0.5, abs=0.02)


def test_figures_are_named_by_their_files() -> None:
    drawn = figures(LABEL, LABEL, pd.Series({"price": 3.0, "quantity": 1.0}))
    assert sorted(drawn) == ["calibration.png", "importance.png", "roc.png"]
    assert drawn["roc.png"].axes[0].get_title() == "ROC, area 1.000"
