"""The evaluation of a trained model: metrics and plots from the held-out clicks."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score, roc_curve

CALIBRATION_BINS = 10
TOP_FEATURES = 20

Floats = npt.NDArray[np.float64]


def judge(label: Floats, score: Floats) -> dict[str, float]:
    """Return AUC, log loss, Brier score and the expected calibration error of scores."""
    share, mean = calibration_curve(label, score, n_bins=CALIBRATION_BINS, strategy="quantile")
    return {
        "auc": float(roc_auc_score(label, score)),
        "log_loss": float(log_loss(label, score)),
        "brier": float(brier_score_loss(label, score)),
        "calibration_error": float(np.abs(share - mean).mean()),
    }


def figures(label: Floats, score: Floats, gain: "pd.Series[float]") -> dict[str, Figure]:
    """Draw the ROC curve, the calibration and the importance of the features; the keys are file names."""
    false, true, _ = roc_curve(label, score)
    share, mean = calibration_curve(label, score, n_bins=CALIBRATION_BINS, strategy="quantile")
    return {
        "roc.png": _plot(
            false, true, "false positives", "true positives", f"ROC, area {roc_auc_score(label, score):.3f}", 1.0
        ),
        "calibration.png": _plot(
            mean, share, "mean score", "share of successes", "Calibration", max(mean.max(), share.max())
        ),
        "importance.png": _importance(gain),
    }


def _plot(x: Floats, y: Floats, x_label: str, y_label: str, title: str, limit: float) -> Figure:
    # A Figure of its own, without pyplot: no global state, no window system.
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, limit], [0, limit], color="0.7", linestyle="--", linewidth=1)
    axes.plot(x, y, marker="o" if len(x) <= CALIBRATION_BINS else None)
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    return figure


def _importance(gain: "pd.Series[float]") -> Figure:
    gain = gain.sort_values().tail(TOP_FEATURES)
    figure = Figure(figsize=(6, 0.3 * len(gain) + 1), layout="constrained")
    axes = figure.add_subplot()
    axes.barh(gain.index, gain / gain.sum())
    axes.set(xlabel="share of the total gain", title="Feature importance")
    return figure
