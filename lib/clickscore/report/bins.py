"""Bins of a number line, and how far the shares of two periods in the same bins differ."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from clickscore.drift import measures
from clickscore.scoring.feature_engine import quoted

QUANTILES = tuple(part / 10 for part in range(11))
"""The edges of the bins, from the least value of the reference to the greatest: ten bins hold a tenth each, where the
values are many, and what is below or above the reference has bins of its own."""
NULLS = -1
"""The bin of what is null or no number."""
MOVED, MOVED_FAR = 0.1, 0.25
"""From these values of the PSI on, by the convention of the field, a distribution has moved, and moved far."""
LEVELS = (f"below {MOVED}", f"{MOVED} to {MOVED_FAR}", f"{MOVED_FAR} and more")


def edges_of(quantiles: Sequence[float | None]) -> list[float]:
    """Return the edges that differ, in ascending order; of a column that is null everywhere, none."""
    return sorted({edge for edge in quantiles if edge is not None})


def counts_below(column: str, edges: Sequence[float]) -> list[str]:
    """Return the SQL aggregates that ``in_bins`` takes; counting below edges is cheaper than finding bins.

    Args:
        column: a column of DOUBLE.
        edges: in ascending order; an edge belongs to the bin below it, but for the first one, which is a least value.
    """
    value = quoted(column)
    below = [f"count_if({value} < {edge!r}::DOUBLE)" for edge in edges[:1]]
    up_to = [f"count_if({value} <= {edge!r}::DOUBLE)" for edge in edges]
    return ["count(*)", f"count_if(NOT isnan({value}))", *below, *up_to]


def in_bins(counted: Sequence[int | None]) -> dict[int, int]:
    """Return the number of values by bin: ``NULLS``, 0 below the first edge, and so on."""
    # count_if() is null where its condition is null in every row; with FILTER, counting takes four times as long.
    every, numbers, *below = (number or 0 for number in counted)
    return {NULLS: every - numbers} | dict(enumerate(end - start for start, end in pairwise([0, *below, numbers])))


def psi(reference: Mapping[int, int], other: Mapping[int, int]) -> float:
    """Return the population stability index of two counts per bin, from ``in_bins`` with the same edges."""
    before, after = (np.fromiter(counts.values(), np.int64) for counts in (reference, other))
    return measures.psi(before, after)


def level(index: float) -> str:
    """Return the one of ``LEVELS`` that a PSI is in."""
    return LEVELS[(index >= MOVED) + (index >= MOVED_FAR)]


def verdict(index: float) -> str:
    """Return what a PSI says about a distribution."""
    return "moved far" if index >= MOVED_FAR else "moved" if index >= MOVED else "not moved"
