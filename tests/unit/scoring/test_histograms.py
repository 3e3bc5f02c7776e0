"""Counts in bins: exact, whatever the column holds, and the same whether they are taken whole or in parts."""

import numpy as np
import pyarrow as pa
import pytest

from clickscore.scoring.histograms import Bins, ClickBins, added, has_bins, packed

NUMBERS = Bins(edges=(0.0, 1.0, 2.5))
TEXTS = Bins(values=("shoes", "bags"))


@pytest.mark.parametrize(
    ("bins", "column", "counts"),
    [
        (NUMBERS, pa.array([-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, float("inf")]), [2, 2, 1, 2, 0]),
        (NUMBERS, pa.array([None, float("nan"), float("-inf"), 9.0]), [1, 0, 0, 1, 2]),
        (NUMBERS, pa.array([0, 1, None, 7], pa.int64()), [1, 1, 0, 1, 1]),
        (NUMBERS, pa.array([True, False, None]), [1, 1, 0, 0, 1]),
        (NUMBERS, pa.array([2**60 + 1, -(2**60) - 1], pa.int64()), [1, 0, 0, 1, 0]),
        (NUMBERS, pa.array([2**64 - 1], pa.uint64()), [0, 0, 0, 1, 0]),
        (Bins(), pa.array([1.0, None]), [1, 1]),
        (TEXTS, pa.array(["shoes", "bags", "lamps", "shoes", None, ""]), [2, 1, 2, 1]),
        (TEXTS, pa.array([], pa.string()), [0, 0, 0, 0]),
    ],
)
def test_each_value_counts_in_one_bin(bins: Bins, column: pa.Array, counts: list[int]) -> None:
    assert bins.count(column).tolist() == counts
    assert len(counts) == bins.size


def test_counts_of_parts_add_up_to_those_of_the_whole() -> None:
    bins = ClickBins(Bins((0.5,)), {"price": NUMBERS, "category": TEXTS})
    inputs = pa.StructArray.from_arrays(
        [pa.array([0.5, None, 3.0]), pa.array(["bags", None, "lamps"])], ["price", "category"]
    )
    scores = np.array([0.4, 0.5, 0.6])
    parts = [
        packed(bins.count(inputs.slice(low, size), scores[low : low + size])) for low, size in ((0, 2), (2, 1), (0, 0))
    ]
    whole = added(parts)
    assert whole is not None
    assert whole.tolist() == bins.count(inputs, scores).tolist() == [2, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1]
    score, features = bins.split(whole)
    assert score.tolist() == [2, 1, 0]
    assert features["category"].tolist() == [0, 1, 1, 1]
    assert added([]) is None


def test_times_and_bytes_are_not_counted() -> None:
    kinds = (pa.float32(), pa.int32(), pa.bool_(), pa.string(), pa.timestamp("us"), pa.binary())
    assert [has_bins(kind) for kind in kinds] == [True, True, True, True, False, False]
