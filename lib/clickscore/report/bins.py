"""Bins of a number line, and how far the shares of two periods in the same bins differ."""

from collections.abc import Mapping, Sequence
from math import log

from clickscore.scoring.feature_engine import quoted

QUANTILES = tuple(part / 10 for part in range(11))
"""The edges of the bins, from the least value of the reference to the greatest: ten bins hold a tenth each, where the
values are many, and what is below or above the reference has bins of its own."""
NULLS = -1
"""The bin of what is null or no number."""
SMALLEST_SHARE = 0.0001
"""An empty bin counts as this share, because the logarithm of nothing is infinite."""
MOVED, MOVED_FAR = 0.1, 0.25
"""From these values of the PSI on, by the convention of the field, a distribution has moved, and moved far."""


def bin_of(column: str, edges: Sequence[float]) -> str:
    """Return the SQL expression for the number of a value's bin: an edge belongs to the bin below it.

    Args:
        column: a column of DOUBLE.
        edges: in ascending order; below the first one is bin 0.
    """
    value = quoted(column)
    below = "".join(f" WHEN {value} < {edge!r}::DOUBLE THEN 0" for edge in edges[:1])
    cases = "".join(f" WHEN {value} <= {edge!r}::DOUBLE THEN {number}" for number, edge in enumerate(edges, 1))
    return f"CASE WHEN {value} IS NULL OR isnan({value}) THEN {NULLS}{below}{cases} ELSE {len(edges) + 1} END"


def edges_of(quantiles: Sequence[float | None]) -> list[float]:
    """Return the edges that differ, in ascending order; of a column that is null everywhere, none."""
    return sorted({edge for edge in quantiles if edge is not None})


def psi(reference: Mapping[int, int], other: Mapping[int, int]) -> float:
    """Return the population stability index of two counts per bin; 0 says that the shares are the same."""
    before, after = sum(reference.values()), sum(other.values())
    index = 0.0
    for number in reference.keys() | other.keys():
        was = max(reference.get(number, 0) / before, SMALLEST_SHARE)
        now = max(other.get(number, 0) / after, SMALLEST_SHARE)
        index += (now - was) * log(now / was)
    return index
