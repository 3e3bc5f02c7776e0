"""Histograms on fixed edges: how many clicks have a feature or a score in each bin.

Counts of the same bins add up, over chunks, tasks and micro-batches: nothing is a sample, and nothing is counted twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_STORED = np.dtype("<u4")
"""Counts of a chunk on their way: a chunk has fewer clicks than this type has numbers."""


@dataclass(frozen=True)
class Bins:
    """The bins of one column; the last one is for null and NaN.

    Attributes:
        edges: upper ends of the ranges of a number, in ascending order; each belongs to the bin below it, and what is
            above the last one has a bin of its own.
        values: of a text, those that have a bin each; all other texts share the bin after them. None for a number.
    """

    edges: tuple[float, ...] = ()
    values: tuple[str, ...] | None = None

    @property
    def size(self) -> int:
        """Number of bins."""
        return 2 + len(self.edges if self.values is None else self.values)

    def count(self, column: pa.Array) -> Counts:
        """Return the number of values in each bin."""
        return self._count_numbers(column) if self.values is None else self._count_texts(column, self.values)

    def _count_numbers(self, column: pa.Array) -> Counts:
        numbers = as_floats(column)
        # To count below each edge takes a fifth of the time that finding the bin of each number takes.
        below = [np.count_nonzero(numbers <= edge) for edge in self.edges]
        held = len(numbers) - np.count_nonzero(np.isnan(numbers))
        return np.diff([0, *below, held, len(numbers)])

    def _count_texts(self, column: pa.Array, values: tuple[str, ...]) -> Counts:
        found = pc.value_counts(column).flatten()
        number_of = dict(zip(*(part.to_pylist() for part in found), strict=True))
        nulls = number_of.pop(None, 0)
        known = [number_of.pop(value, 0) for value in values]
        return np.array([*known, sum(number_of.values()), nulls], np.int64)


@dataclass(frozen=True)
class ClickBins:
    """The bins of the score and of each feature.

    Attributes:
        score: those of the score.
        features: those of each feature, by its name.
    """

    score: Bins
    features: Mapping[str, Bins]

    def count(self, inputs: pa.StructArray, scores: Floats) -> Counts:
        """Return the counts of some clicks, bin after bin: those of the score, then of each feature in its order.

        Args:
            inputs: the features of the clicks.
            scores: their scores.
        """
        columns = [self.score.count(pa.array(scores))]
        columns += [bins.count(inputs.field(name)) for name, bins in self.features.items()]
        return np.concatenate(columns)

    def split(self, counts: Counts) -> tuple[Counts, dict[str, Counts]]:
        """Return the counts of the score, and those of each feature.

        Args:
            counts: from ``count``, or a sum of such.
        """
        ends = np.cumsum([self.score.size, *(bins.size for bins in self.features.values())])
        score, *features = np.split(counts, ends[:-1])
        return score, dict(zip(self.features, features, strict=True))


def has_bins(kind: pa.DataType) -> bool:
    """Tell whether a feature of a type is counted: numbers, booleans and texts are, times and bytes are not."""
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(is_number or pa.types.is_string(kind))


def as_floats(column: pa.Array) -> Floats:
    """Return numbers or booleans as floats; null is NaN."""
    # Not safe: a whole number beyond 2^53 has no exact float, which a bin does not need, and would end the task.
    floats: Floats = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return floats


def packed(counts: Counts) -> bytes:
    """Return the counts of a chunk as bytes, four for each bin."""
    return counts.astype(_STORED).tobytes()


def added(chunks: Iterable[bytes]) -> Counts | None:
    """Return the sum of the packed counts of some chunks; None of no chunk."""
    counts = [np.frombuffer(chunk, _STORED).astype(np.int64) for chunk in chunks]
    return np.sum(counts, axis=0) if counts else None
