"""How well scores told what happened, each measure with its 95% interval.

Clicks of one unit share its outcome and much of their scores, so that 1,000 clicks of 100 units say hardly more than
100 clicks. All intervals therefore are those of clustered data, in closed form, with the units as clusters:

- the area under the ROC curve: N. Obuchowski, Nonparametric analysis of clustered ROC curve data, Biometrics 53 (1997),
  which is DeLong's (1988) where each unit has one click;
- means: the linearised variance of a ratio estimator, W. Cochran, Sampling Techniques (1977), chapter 6;
- shares: E. Wilson's (1927) interval with the effective number of clicks, as E. Korn and B. Graubard (1998) have it,
  which has a width also where nobody or everybody has succeeded.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEAST_UNITS = 30
"""Units of each outcome; fewer are too few for the normal distribution that the intervals rest on."""
BINS = 10
Z = 1.959964
"""Standard errors to each side of a value, between which 95% of a normal distribution lie."""
_LEAST_PROBABILITY = 1e-15
"""What a score of 0 or 1 is taken for; if it is wrong, it would cost infinitely much."""


class Clicks(NamedTuple):
    """Clicks whose units are closed: the score, 1 or 0 for the outcome of the unit, and the number of the unit."""

    score: Floats
    success: Floats
    unit: Integers


class Estimate(NamedTuple):
    """A value and its 95% interval; its ends are NaN where too few units are known."""

    value: float
    low: float
    high: float


class Bin(NamedTuple):
    """Clicks of similar scores: how many, their mean score, and the share of them that succeeded."""

    clicks: int
    score: float
    success: Estimate


def area_under_roc(clicks: Clicks) -> Estimate | None:
    """Return how probably a click with success has a higher score than one without; None if all outcomes are alike."""
    is_success = clicks.success == 1
    successes, failures = np.sort(clicks.score[is_success]), np.sort(clicks.score[~is_success])
    if not len(successes) or not len(failures):
        return None
    # Of each click, the share of the clicks of the other outcome that it beats; a tie is half a win.
    won = np.empty(len(clicks.score))
    won[is_success] = _below(failures, clicks.score[is_success])
    won[~is_success] = 1 - _below(successes, clicks.score[~is_success])
    area = float(won[is_success].mean())
    _, unit = np.unique(clicks.unit, return_inverse=True)
    excess = np.zeros(unit.max() + 1)
    counts = []
    for side in (is_success, ~is_success):
        sums, sizes = (np.bincount(unit[side], weights, len(excess)) for weights in (won[side], np.ones(side.sum())))
        units = int(np.count_nonzero(sizes))
        excess += (sums - sizes * area) / side.sum() * np.sqrt(units / max(units - 1, 1))
        counts.append(units)
    spread = float(np.sqrt(np.square(excess).sum())) if min(counts) >= LEAST_UNITS else np.nan
    return Estimate(area, *np.clip((area - Z * spread, area + Z * spread), 0, 1).tolist())


def _below(ordered: Floats, scores: Floats) -> Floats:
    beaten: Floats = (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / 2
    return beaten / len(ordered)


def log_loss(clicks: Clicks) -> Estimate | None:
    """Return the mean log loss; None without clicks, or if the scores are not probabilities."""
    if not len(clicks.score) or clicks.score.min() < 0 or clicks.score.max() > 1:
        return None
    score = np.clip(clicks.score, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    mean, variance, units = _mean(-np.log(np.where(clicks.success == 1, score, 1 - score)), clicks.unit)
    spread = np.sqrt(variance) if units >= LEAST_UNITS else np.nan
    return Estimate(mean, float(max(mean - Z * spread, 0)) if units >= LEAST_UNITS else np.nan, mean + Z * spread)


def success_share(clicks: Clicks) -> Estimate:
    """Return the share of the clicks whose unit has succeeded; NaN without clicks."""
    if not len(clicks.success):
        return Estimate(np.nan, np.nan, np.nan)
    share, variance, units = _mean(clicks.success, clicks.unit)
    if units < LEAST_UNITS:
        return Estimate(share, np.nan, np.nan)
    many = share * (1 - share) / variance if variance > 0 else units
    centre, width = share + Z**2 / (2 * many), Z * np.sqrt(share * (1 - share) / many + Z**2 / (4 * many**2))
    low, high = ((centre + sign * width) / (1 + Z**2 / many) for sign in (-1, 1))
    return Estimate(share, max(float(low), 0.0), min(float(high), 1.0))


def _mean(values: Floats, unit: Integers) -> tuple[float, float, int]:
    """Return the mean, its variance with units as clusters, and their number."""
    _, unit = np.unique(unit, return_inverse=True)
    mean, units = float(values.mean()), int(unit.max()) + 1
    excess = np.bincount(unit, values - mean)
    return mean, float(np.square(excess).sum() / len(values) ** 2 * units / max(units - 1, 1)), units


def calibration(clicks: Clicks) -> list[Bin]:
    """Return ten bins of scores of equal width from 0 to 1; those without clicks, and other scores, are left out."""
    is_in = (clicks.score >= 0) & (clicks.score <= 1)
    place = np.minimum((clicks.score * BINS).astype(np.int64), BINS - 1)
    return [_bin(clicks, mine) for number in range(BINS) if (mine := is_in & (place == number)).any()]


def calibration_error(clicks: Clicks) -> float | None:
    """Return how far the scores are from the shares of success in the bins of ``calibration``: 0 is right, 1 the most.

    A score within the 95% interval of the share of its bin counts as right, so that chance alone makes no error. The
    mean distance is divided by the mean score or the share of success, whichever is larger: so it means the same where
    one unit of a hundred succeeds as where ten do.

    Args:
        clicks: those of closed units; bins with too few units for an interval are left out, None if there is no other.
    """
    bins = [each for each in calibration(clicks) if np.isfinite(each.success.low)]
    if not bins:
        return None
    weights = [each.clicks for each in bins]
    away = [max(each.score - each.success.high, each.success.low - each.score, 0.0) for each in bins]
    whole = [
        np.average(part, weights=weights) for part in zip(*((b.score, b.success.value) for b in bins), strict=True)
    ]
    return float(np.average(away, weights=weights) / max(whole)) if max(whole) > 0 else 0.0


def deciles(clicks: Clicks) -> list[Bin]:
    """Return ten bins with a tenth of the clicks each, highest scores first; equal scores are never parted."""
    inner = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(clicks.score, inner)) if len(clicks.score) else np.empty(0)
    place = np.searchsorted(edges, clicks.score, side="right")
    return [_bin(clicks, mine) for number in range(len(edges), -1, -1) if (mine := place == number).any()]


def _bin(clicks: Clicks, mine: npt.NDArray[np.bool_]) -> Bin:
    chosen = Clicks(clicks.score[mine], clicks.success[mine], clicks.unit[mine])
    return Bin(len(chosen.score), float(chosen.score.mean()), success_share(chosen))
