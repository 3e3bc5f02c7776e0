import duckdb
import pytest

from clickscore.report.bins import LEVELS, NULLS, counts_below, edges_of, in_bins, level, psi, verdict


@pytest.mark.parametrize(("values", "edges", "expected"), [
    ([0.0, 0.0, 1.0], [0.0, 1.0], {NULLS: 0, 0: 0, 1: 2, 2: 1, 3: 0}),
    ([-1.0, 0.5, 2.0, None, float("nan")], [0.0, 1.0], {NULLS: 2, 0: 1, 1: 0, 2: 1, 3: 1}),
    ([5.0, 6.0, 7.0], [6.0], {NULLS: 0, 0: 1, 1: 1, 2: 1}),
    ([None, 1.0], [], {NULLS: 1, 0: 1}),
    ([float("inf")], [0.0], {NULLS: 0, 0: 0, 1: 0, 2: 1}),
])  # fmt: skip
def test_each_value_is_in_one_bin(values: list, edges: list, expected: dict) -> None:
    query = f'SELECT {", ".join(counts_below("a b", edges))} FROM (SELECT unnest($1::DOUBLE[]) AS "a b")'
    assert in_bins(duckdb.execute(query, [values]).fetchone()) == expected


def test_edges_are_what_differs_among_the_quantiles() -> None:
    assert edges_of([0.0, 0.0, None, 3.0, 1.0]) == [0.0, 1.0, 3.0]


def test_equal_shares_have_not_moved_however_many_values_there_are() -> None:
    assert psi({0: 100, 1: 300}, {0: 1_000, 1: 3_000}) == pytest.approx(0, abs=1e-4)


def test_psi_is_the_one_of_the_textbook() -> None:
    # (0.8 - 0.5) * ln(0.8 / 0.5) + (0.2 - 0.5) * ln(0.2 / 0.5)
    assert psi({0: 50_000, 1: 50_000}, {0: 80_000, 1: 20_000}) == pytest.approx(0.4159, abs=1e-4)


def test_empty_bin_moves_far_but_not_infinitely() -> None:
    assert 1 < psi({0: 100, 1: 0}, {0: 0, 1: 100}) < 100


@pytest.mark.parametrize(
    ("index", "said", "number"), [(0.09, "not moved", 0), (0.1, "moved", 1), (0.25, "moved far", 2)]
)
def test_index_is_told_in_words_and_as_a_level(index: float, said: str, number: int) -> None:
    assert (verdict(index), level(index)) == (said, LEVELS[number])
