"""The comparison of champion and challenger on the same clicks, and whether a gate holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from clickscore.config.model import Gate
from clickscore.drift import measures
from clickscore.scoring.outputs import Floats

Integers = npt.NDArray[np.int64]
Measure = Callable[[Floats], float]
"""How often each visitor counts, to what a model is worth then."""

PSI_BINS = 10
RESAMPLES = 400
"""Bootstrap samples; they leave each end of the interval uncertain by an eighth of the standard error."""
SEED = 1
LEAST_VISITORS = 30
"""Visitors of each outcome; fewer say too little about those to come for an interval, and a draw could have none."""
_LEAST_PROBABILITY = 1e-15
"""What a score of 0 or 1 is taken for; if it is wrong, it would cost infinitely much."""
_CHAMPION, _CHALLENGER = "0.6", "C0"


class Clicks(NamedTuple):
    """Clicks that both models have scored; the outcome is 1 for a success, 0 for none, NaN where it is unknown."""

    champion: Floats
    challenger: Floats
    visitor: Integers
    outcome: Floats


class Gain(NamedTuple):
    """A measure of both models, how much better the challenger is, and the 95% interval of that."""

    champion: float
    challenger: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """What the clicks say; a number that they do not tell is NaN, an interval then has no ends.

    Attributes:
        clicks: how many both have scored.
        visitors: how many visitors made them.
        agreement: rank correlation of the scores.
        psi: shift of the challenger's scores against the champion's.
        auc: gain of the area under the ROC curve; None without outcomes.
        log_loss: fall of the log loss; None without outcomes, or if the scores are not probabilities.
    """

    clicks: int
    visitors: int
    agreement: float
    psi: float
    auc: Gain | None = None
    log_loss: Gain | None = None


class Verdict(NamedTuple):
    """One criterion of a gate; ``holds`` is None where it is not applied, because outcomes are unknown."""

    what: str
    found: str
    wanted: str
    holds: bool | None


def compare(clicks: Clicks) -> Evidence:
    """Return what the clicks say about both models."""
    scores = clicks.champion, clicks.challenger
    if not len(clicks.champion):
        return Evidence(0, 0, np.nan, np.nan)
    evidence = Evidence(
        clicks=len(clicks.champion),
        visitors=len(np.unique(clicks.visitor)),
        agreement=rank_correlation(*scores),
        psi=population_stability(*scores),
    )
    known = ~np.isnan(clicks.outcome)
    if not known.any():
        return evidence
    outcome, (_, visitor) = clicks.outcome[known], np.unique(clicks.visitor[known], return_inverse=True)
    areas = [_area_under_roc(score[known], outcome, visitor) for score in scores]
    evidence = replace(evidence, auc=_gain(areas[0], areas[1], 1, outcome, visitor))
    if min(map(np.min, scores)) < 0 or max(map(np.max, scores)) > 1:
        return evidence
    losses = [_mean_log_loss(score[known], outcome, visitor) for score in scores]
    return replace(evidence, log_loss=_gain(losses[0], losses[1], -1, outcome, visitor))


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's rank correlation; NaN if one of the scores is always the same."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return np.nan
    return float(np.corrcoef(pd.Series(one).rank(), pd.Series(other).rank())[0, 1])


def population_stability(expected: Floats, found: Floats) -> float:
    """Return the population stability index of ``found``, in bins that each hold a tenth of ``expected``.

    By custom, below 0.1 is little change and above 0.25 is much: N. Siddiqi, Credit Risk Scorecards, Wiley 2006. What
    chance does to it in small samples: B. Yurdakul, J. Naranjo, Journal of Risk Model Validation 14 (4), 2020.
    """
    edges = _bin_edges(expected)
    return measures.psi(_in_bins(expected, edges), _in_bins(found, edges))


def _bin_edges(expected: Floats) -> Floats:
    # The outer bins are open. Scores that are much alike have fewer.
    return np.unique(np.quantile(expected, np.linspace(0, 1, PSI_BINS + 1)[1:-1]))


def _in_bins(scores: Floats, edges: Floats) -> Integers:
    return np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1)


def _area_under_roc(score: Floats, outcome: Floats, visitor: Integers) -> Measure:
    """Return the area under the ROC curve as a function of the visitors' weights; the scores are sorted only once."""
    order = np.argsort(score)
    outcome, visitor = outcome[order], visitor[order]
    levels = np.flatnonzero(np.diff(score[order], prepend=-np.inf))

    def area(weights: Floats) -> float:
        weight = weights[visitor]
        successes = np.add.reduceat(weight * outcome, levels)
        others = np.add.reduceat(weight * (1 - outcome), levels)
        # A success beats the others on lower levels, and half of those on its own. With @, BLAS would take longer.
        beaten = successes * (np.cumsum(others) - others / 2)
        return float(beaten.sum() / (successes.sum() * others.sum()))

    return area


def _mean_log_loss(score: Floats, outcome: Floats, visitor: Integers) -> Measure:
    score = np.clip(score, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    loss = -np.log(np.where(outcome == 1, score, 1 - score))
    losses, clicks = np.bincount(visitor, loss), np.bincount(visitor)
    return lambda weights: float(weights @ losses / (weights @ clicks))


def _gain(champion: Measure, challenger: Measure, sign: int, outcome: Floats, visitor: Integers) -> Gain:
    """Return a gain with its percentile bootstrap interval.

    Whole visitors are drawn: the clicks of one are alike, and the interval would be too narrow if each counted for
    itself. Both models are judged on the same draw.
    """
    visitors_of = [len(np.unique(visitor[outcome == value])) for value in (0, 1)]
    if not all(visitors_of):
        return Gain(np.nan, np.nan, np.nan, -np.inf, np.inf)
    count = int(visitor.max()) + 1
    values = [measure(np.ones(count)) for measure in (champion, challenger)]
    low, high = -np.inf, np.inf
    if min(visitors_of) >= LEAST_VISITORS:
        rng = np.random.default_rng(SEED)
        weights = (np.bincount(rng.choice(count, count), minlength=count).astype(np.float64) for _ in range(RESAMPLES))
        gains = [sign * (challenger(weight) - champion(weight)) for weight in weights]
        low, high = np.quantile(gains, (0.025, 0.975)).tolist()
    return Gain(values[0], values[1], sign * (values[1] - values[0]), low, high)


def metrics(evidence: Evidence) -> dict[str, float]:
    """Return the evidence as named numbers; those that are not known are left out."""
    found = {name: value for name, value in vars(evidence).items() if not isinstance(value, Gain | None)}
    for name, gain in (("auc", evidence.auc), ("log_loss", evidence.log_loss)):
        found |= {f"{name}_{part}": value for part, value in (gain._asdict() if gain else {}).items()}
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def judge(evidence: Evidence, gate: Gate) -> list[Verdict]:
    """Return whether the criteria of a gate hold, one by one; one about a number that is NaN does not."""
    clicks, agreement, psi = evidence.clicks, evidence.agreement, evidence.psi
    unknown = "unknown: no outcomes" if evidence.auc is None else "unknown: the scores are not probabilities"
    return [
        Verdict("clicks", f"{clicks:,}", f"at least {gate.clicks:,}", clicks >= gate.clicks),
        Verdict("agreement", _number(agreement), f"at least {gate.agreement:g}", agreement >= gate.agreement),
        Verdict("psi", _number(psi), f"at most {gate.psi:g}", psi <= gate.psi),
        _judge_gain("auc_gain", evidence.auc, gate.auc_gain, unknown),
        _judge_gain("log_loss_gain", evidence.log_loss, gate.log_loss_gain, unknown),
    ]


def _number(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.4f}"


def _judge_gain(what: str, gain: Gain | None, least: float, unknown: str) -> Verdict:
    wanted = f"lower end at least {least:g}"
    if gain is None:
        return Verdict(what, unknown, wanted, None)
    if np.isnan(gain.gain):
        return Verdict(what, "all outcomes are alike", wanted, gain.low >= least)
    interval = f"95% {gain.low:+.4f} to {gain.high:+.4f}"
    spread = interval if np.isfinite(gain.low) else f"fewer than {LEAST_VISITORS} visitors of an outcome"
    found = f"{gain.gain:+.4f} ({gain.champion:.4f} to {gain.challenger:.4f}), {spread}"
    return Verdict(what, found, wanted, gain.low >= least)


def figures(clicks: Clicks) -> dict[str, Figure]:
    """Draw scores against each other, as distributions and, given outcomes, ROC curves; the keys are file names."""
    drawn = {"scores.png": _scores(clicks), "distribution.png": _distribution(clicks)}
    if {0, 1} <= set(np.unique(clicks.outcome)):
        drawn["roc.png"] = _roc(clicks)
    return drawn


def _plot(width: float, height: float, title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    # A Figure of its own, without pyplot: no global state, no window system.
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    return figure, axes


def _scores(clicks: Clicks) -> Figure:
    figure, axes = _plot(6, 5, "Score against score", "champion's score", "challenger's score")
    axes.axline((0, 0), slope=1, color="0.5", linestyle="--", linewidth=1)
    figure.colorbar(axes.hexbin(*clicks[:2], gridsize=50, mincnt=1, norm=LogNorm()), label="clicks")
    return figure


def _distribution(clicks: Clicks) -> Figure:
    edges = _bin_edges(clicks.champion)
    title = f"Score shift, PSI {population_stability(clicks.champion, clicks.challenger):.3f}"
    figure, axes = _plot(7, 4, title, "score, in tenths of the champion's", "share of clicks")
    place = np.arange(len(edges) + 1)
    axes.bar(place - 0.2, measures.shares(_in_bins(clicks.champion, edges)), 0.4, color=_CHAMPION, label="champion")
    axes.bar(
        place + 0.2, measures.shares(_in_bins(clicks.challenger, edges)), 0.4, color=_CHALLENGER, label="challenger"
    )
    axes.set_xticks(place[1:] - 0.5, [f"{edge:.3g}" for edge in edges])
    axes.legend()
    return figure


def _roc(clicks: Clicks) -> Figure:
    known = ~np.isnan(clicks.outcome)
    figure, axes = _plot(5, 5, "ROC", "false positives", "true positives")
    axes.axline((0, 0), slope=1, color="0.8", linestyle="--", linewidth=1)
    sides = {"champion": (clicks.champion, _CHAMPION), "challenger": (clicks.challenger, _CHALLENGER)}
    for name, (score, color) in sides.items():
        false, true, _ = roc_curve(clicks.outcome[known], score[known])
        axes.plot(false, true, color=color, label=f"{name}, area {np.trapezoid(true, false):.3f}")
    axes.legend(loc="lower right")
    return figure
