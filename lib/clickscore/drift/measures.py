"""How far the clicks of now are from the baseline: the PSI and the Jensen-Shannon divergence of two histograms."""

from dataclasses import dataclass

import numpy as np

from clickscore.drift.baseline import Baseline
from clickscore.scoring.histograms import Bins, Counts, Floats

PSEUDOCOUNT = 0.5
"""Added to each bin, so that an empty one has a logarithm: the estimator of Krichevsky and Trofimov (1981, IEEE
Transactions on Information Theory 27(2)), https://doi.org/10.1109/TIT.1981.1056331."""


SCORE = "score"
_NULLS, _OTHERS = -1, -2
"""Places of the bin of nulls, and, of a text, of that of values without a bin of their own."""


@dataclass(frozen=True)
class Movement:
    """How far a column has moved.

    Attributes:
        psi: population stability index, the sum of the three parts; without any movement its mean is about
            ``(bins - 1) * (1/n + 1/m)`` for ``n`` and ``m`` independent clicks (Yurdakul and Naranjo, Journal of Risk
            Model Validation, https://econpapers.repec.org/article/rskjourn5/7725371.htm).
        divergence: of Jensen and Shannon, from 0 to 1 bit (Lin 1991, https://doi.org/10.1109/18.61115).
        by_nulls: the part of ``psi`` that is due to the share of nulls.
        by_unseen: the part that is due to texts that have no bin of their own.
        nulls: share of nulls in the baseline, and now.
        unseen: share of texts without a bin of their own in the baseline, and now; None for a number.
    """

    psi: float
    divergence: float
    by_nulls: float
    by_unseen: float
    nulls: tuple[float, float]
    unseen: tuple[float, float] | None

    @property
    def cause(self) -> str:
        """What most of the movement is due to, for a person."""
        by_values = self.psi - self.by_nulls - self.by_unseen
        if self.by_nulls >= max(self.by_unseen, by_values):
            return f"nulls went from {self.nulls[0]:.2%} to {self.nulls[1]:.2%}"
        if self.unseen and self.by_unseen >= by_values:
            return f"values that are rare or new went from {self.unseen[0]:.2%} to {self.unseen[1]:.2%}"
        return "its values moved"


def movements(baseline: Baseline, counts: Counts) -> dict[str, Movement]:
    """Return how far the score, ``SCORE``, and each feature have moved, by name.

    Args:
        baseline: what they are compared with.
        counts: clicks in each of its bins.
    """
    bins = baseline.bins
    (score_before, before), (score_now, now) = bins.split(np.array(baseline.counts)), bins.split(counts)
    found = {SCORE: movement(bins.score, score_before, score_now)}
    for name, each in bins.features.items():
        found[f"features.{name}" if name == SCORE else name] = movement(each, before[name], now[name])
    return found


def movement(bins: Bins, before: Counts, now: Counts) -> Movement:
    """Compare two histograms of the same bins.

    Args:
        bins: of the column.
        before: the baseline's clicks in each bin.
        now: those of now.
    """
    terms = _psi_terms(before, now)
    unseen = (_share(before, _OTHERS), _share(now, _OTHERS)) if bins.values is not None else None
    return Movement(
        psi=float(terms.sum()),
        divergence=divergence(before, now),
        by_nulls=float(terms[_NULLS]),
        by_unseen=float(terms[_OTHERS]) if unseen else 0.0,
        nulls=(_share(before, _NULLS), _share(now, _NULLS)),
        unseen=unseen,
    )


def psi(before: Counts, now: Counts) -> float:
    """Return the population stability index of two histograms of the same bins; 0 if their shares are the same."""
    return float(_psi_terms(before, now).sum())


def divergence(before: Counts, now: Counts) -> float:
    """Return the Jensen-Shannon divergence of two histograms of the same bins, in bits: 0 to 1."""
    was, is_now = shares(before), shares(now)
    middle = (was + is_now) / 2
    return float(sum((part * np.log2(part / middle)).sum() for part in (was, is_now)) / 2)


def _psi_terms(before: Counts, now: Counts) -> Floats:
    was, is_now = shares(before), shares(now)
    terms: Floats = (is_now - was) * np.log(is_now / was)
    return terms


def shares(counts: Counts) -> Floats:
    """Return the share of each bin, with ``PSEUDOCOUNT`` more in it."""
    smoothed: Floats = (counts + PSEUDOCOUNT) / (counts.sum() + PSEUDOCOUNT * len(counts))
    return smoothed


def _share(counts: Counts, place: int) -> float:
    return float(counts[place] / max(counts.sum(), 1))
