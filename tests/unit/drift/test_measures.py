"""PSI and Jensen-Shannon divergence of literal counts, and what moved the most."""

from math import log

import numpy as np
import pytest

from clickscore.drift.baseline import Baseline
from clickscore.drift.measures import divergence, movement, movements, psi
from clickscore.scoring.histograms import Bins, ClickBins

NUMBER, TEXT = Bins((0.0, 1.0)), Bins(values=("shoes",))


def counts(*numbers: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(numbers, np.int64)


def test_same_shares_have_an_index_of_nothing_however_many_clicks_there_are() -> None:
    assert psi(counts(100, 300), counts(100_000, 300_000)) < 1e-4
    assert psi(counts(0, 0), counts(0, 0)) == 0


def test_index_is_the_sum_over_bins_of_difference_times_logarithm_of_the_ratio() -> None:
    was, now = (1.5 / 11, 9.5 / 11), (6.5 / 11, 4.5 / 11)  # each bin has half a click more
    by_hand = sum((after - before) * log(after / before) for before, after in zip(was, now, strict=True))
    assert psi(counts(1, 9), counts(6, 4)) == pytest.approx(by_hand)


def test_empty_bin_makes_no_index_infinite() -> None:
    assert 1 < psi(counts(1_000, 0), counts(0, 1_000)) < 20


def test_divergence_is_between_nothing_and_a_bit() -> None:
    assert divergence(counts(10, 30), counts(10, 30)) == 0
    assert divergence(counts(10**6, 0), counts(0, 10**6)) == pytest.approx(1, abs=1e-4)


def test_nulls_are_told_apart_from_values() -> None:
    by_nulls = movement(NUMBER, counts(500, 300, 100, 100), counts(300, 180, 60, 460))
    assert by_nulls.nulls == (0.1, 0.46)
    assert by_nulls.by_nulls > 0.5 * by_nulls.psi
    assert by_nulls.cause == "nulls went from 10.00% to 46.00%"
    by_values = movement(NUMBER, counts(500, 300, 100, 100), counts(100, 300, 500, 100))
    assert by_values.by_nulls == pytest.approx(0, abs=1e-6)
    assert by_values.cause == "its values moved"


def test_unseen_texts_are_told_apart_from_those_that_are_known() -> None:
    found = movement(TEXT, counts(990, 10, 0), counts(700, 300, 0))
    assert found.unseen == (0.01, 0.3)
    assert found.cause == "values that are rare or new went from 1.00% to 30.00%"
    assert found.psi == pytest.approx(psi(counts(990, 10, 0), counts(700, 300, 0)))


def test_each_column_is_compared_with_its_own_part_of_the_baseline() -> None:
    baseline = Baseline(ClickBins(NUMBER, {"score": TEXT, "price": NUMBER}), (5, 5, 0, 0, 9, 1, 0, 5, 5, 0, 0))
    found = movements(baseline, counts(5, 5, 0, 0, 1, 9, 0, 5, 5, 0, 0))
    assert list(found) == ["score", "features.score", "price"]
    assert [each.psi > 0.2 for each in found.values()] == [False, True, False]
