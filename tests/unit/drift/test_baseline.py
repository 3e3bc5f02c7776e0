"""A baseline is made of clicks, written as JSON, and read back as it was."""

import json

import numpy as np
import pyarrow as pa
import pytest

from clickscore.drift.baseline import MOST_VALUES, BaselineError, baseline_of, bins_of, read_baseline

INPUTS = pa.StructArray.from_arrays(
    [pa.array([float(number) for number in range(100)]), pa.array(["a", "b"] * 50), pa.array([b""] * 100)],
    ["price", "category", "picture"],
)
BASELINE = baseline_of(INPUTS, np.linspace(0, 1, 100))


def test_ten_bins_of_a_number_hold_a_tenth_each() -> None:
    counts = bins_of(INPUTS.field("price")).count(INPUTS.field("price"))
    assert counts.tolist() == [10] * 10 + [0]


def test_values_below_the_least_one_have_a_bin_where_that_is_frequent() -> None:
    constant = bins_of(pa.array([4.0] * 10))
    assert constant.count(pa.array([4.0, 3.9, 4.1, None])).tolist() == [1, 1, 1, 1]
    mostly_nothing = bins_of(pa.array([0.0] * 95 + [1.0] * 5))
    assert mostly_nothing.count(pa.array([-0.1, 0.0, 0.0, 1.0])).tolist() == [1, 2, 1, 0]


def test_column_without_a_number_has_one_bin_and_that_of_null() -> None:
    assert bins_of(pa.array([None, float("inf")], pa.float64())).edges == ()


def test_most_frequent_texts_have_bins_of_their_own() -> None:
    texts = [f"t{number:02}" for number in range(30) for _ in range(30 - number)]
    bins = bins_of(pa.array([*texts, None]))
    assert bins.values == tuple(f"t{number:02}" for number in range(MOST_VALUES))
    assert bins.count(pa.array(["t00", "t29", "new", None])).tolist()[-2:] == [2, 1]


def test_baseline_comes_back_from_its_json_and_has_no_column_of_bytes() -> None:
    assert list(BASELINE.bins.features) == ["price", "category"]
    again = read_baseline(BASELINE.to_json())
    assert again == BASELINE
    assert again.digest == BASELINE.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected the JSON of a baseline, found something else: JSONDecodeError"),
        ("[]", "expected the JSON of a baseline, found something else: TypeError"),
        ("{}", "expected the JSON of a baseline, found something else: KeyError\\('format'\\)"),
        (json.dumps({**json.loads(BASELINE.to_json()), "format": 2}), "expected a baseline of format 1, found 2"),
        (
            BASELINE.to_json().replace('"counts": [10', '"counts": [-1'),
            "score: expected ascending edges, and a count",
        ),
        (BASELINE.to_json().replace('"counts": [50,', '"counts": ['), "features.category: expected ascending edges"),
    ],
)
def test_text_that_is_no_baseline_is_refused(text: str, message: str) -> None:
    with pytest.raises(BaselineError, match=message):
        read_baseline(text)
