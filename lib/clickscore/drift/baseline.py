"""The baseline of a model version: histograms of its score and its features, of clicks that it was not trained on."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nextafter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clickscore.scoring.histograms import Bins, ClickBins, Counts, Floats, as_floats, has_bins

TENTHS = tuple(part / 10 for part in range(1, 10))
"""The edges of a number: ten bins that hold a tenth each, where the values are many."""
MOST_VALUES = 20
"""Of a text, the most frequent ones, which have a bin each."""
FORMAT = 1
"""Of the JSON; another number would mean that these bins cannot be read."""


class BaselineError(ValueError):
    """Raised where a text is not a baseline."""


@dataclass(frozen=True)
class Baseline:
    """Bins, and the clicks in each of them.

    Attributes:
        bins: of the score and of each feature.
        counts: clicks in each bin, as ``ClickBins.count`` returns them.
    """

    bins: ClickBins
    counts: tuple[int, ...]

    def to_json(self) -> str:
        """Return the baseline as JSON, the same text for the same baseline."""
        score, features = self.bins.split(np.array(self.counts))
        tree = {
            "format": FORMAT,
            "score": _tree(self.bins.score, score),
            "features": {name: _tree(self.bins.features[name], found) for name, found in features.items()},
        }
        return json.dumps(tree, allow_nan=False)

    @property
    def digest(self) -> str:
        """SHA-256 of its JSON, as hexadecimal digits."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def baseline_of(inputs: pa.StructArray, scores: Floats) -> Baseline:
    """Return the baseline of some clicks.

    Args:
        inputs: the features that the model asks for; of times and bytes there are no histograms.
        scores: the scores that it gave, without NaN.
    """
    features = {
        field.name: bins_of(column)
        for field, column in zip(inputs.type, inputs.flatten(), strict=True)
        if has_bins(field.type)
    }
    bins = ClickBins(bins_of(pa.array(scores)), features)
    return Baseline(bins, tuple(bins.count(inputs, scores).tolist()))


def bins_of(column: pa.Array) -> Bins:
    """Return the bins of a column: tenths of its numbers, or the most frequent of its texts."""
    if pa.types.is_string(column.type):
        values, numbers = pc.value_counts(column.drop_null()).flatten()
        ranked = sorted(zip(numbers.to_pylist(), values.to_pylist(), strict=True), key=lambda each: (-each[0], each[1]))
        return Bins(values=tuple(value for _, value in ranked[:MOST_VALUES]))
    numbers = as_floats(column)
    numbers = numbers[np.isfinite(numbers)]
    if not len(numbers):
        return Bins()
    edges = np.unique(np.quantile(numbers, TENTHS, method="inverted_cdf")).tolist()
    if (least := float(numbers.min())) == edges[0]:  # what was the least value so far has a bin without lesser ones
        edges = [nextafter(least, -np.inf), *edges]
    return Bins(tuple(edge for edge in edges if isfinite(edge)))


def read_baseline(text: str) -> Baseline:
    """Return the baseline that a JSON text is of.

    Raises:
        BaselineError: if it is not one.
    """
    try:
        tree = json.loads(text)
        if tree["format"] != FORMAT:
            raise BaselineError(f"expected a baseline of format {FORMAT}, found {tree['format']!r}")
        columns = {"score": tree["score"], **{f"features.{name}": each for name, each in tree["features"].items()}}
        found = [_read(name, each) for name, each in columns.items()]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        if isinstance(error, BaselineError):
            raise
        raise BaselineError(f"expected the JSON of a baseline, found something else: {error!r}") from None
    (score, _), *features = found
    bins = ClickBins(score, dict(zip(tree["features"], (each for each, _ in features), strict=True)))
    return Baseline(bins, tuple(count for _, counts in found for count in counts))


def _tree(bins: Bins, counts: Counts) -> dict[str, object]:
    sort: dict[str, object] = {"edges": bins.edges} if bins.values is None else {"values": bins.values}
    return {**sort, "counts": counts.tolist()}


def _read(name: str, tree: Mapping[str, Any]) -> tuple[Bins, list[int]]:
    counts = tree["counts"]
    bins = Bins(values=tuple(map(str, tree["values"]))) if "values" in tree else Bins(tuple(map(float, tree["edges"])))
    is_ascending = all(low < high for low, high in zip(bins.edges, bins.edges[1:], strict=False))
    are_counts = all(type(count) is int and count >= 0 for count in counts)
    if len(counts) != bins.size or not is_ascending or not are_counts:
        raise BaselineError(f"{name}: expected ascending edges, and a count of each of {bins.size} bins")
    return bins, counts
