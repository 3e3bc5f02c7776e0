from typing import Any

import numpy as np
import pandas as pd
import pytest

from clickscore.scoring.outputs import OutputError, as_outputs, joined, pick


@pytest.mark.parametrize("prediction", [[0.25, 0.5], np.array([[0.25], [0.5]]), np.array([[0.75, 0.25], [0.5, 0.5]]),
                                        pd.DataFrame({"p": [0.25, 0.5]}), pd.Series([0.25, 0.5]),
                                        {"p": np.array([[0.25], [0.5]])}, [{"p": 0.25}, {"p": 0.5}]])  # fmt: skip
def test_one_number_or_two_probabilities_per_click_make_a_score(prediction: Any) -> None:
    assert pick(as_outputs(prediction, 2), [None]).tolist() == [[0.25], [0.5]]


@pytest.mark.parametrize("prediction", [[0.25], np.zeros((3, 2)), np.zeros((2, 2, 2)), np.zeros((2, 0)), 0.5])
def test_any_other_shape_is_refused(prediction: Any) -> None:
    with pytest.raises(OutputError, match=r"for each of 2 clicks; it predicted an array of shape"):
        as_outputs(prediction, 2)


@pytest.mark.parametrize("prediction", [
    np.array([1j, 2j]), np.array(["2026-03-01", "2026-03-02"], "M8[ns]"), np.array([1, 2], "m8[s]"),
    pd.Series(pd.to_datetime(["2026-03-01", "2026-03-02"])), {"p": np.array([1j, 2j])},
])  # fmt: skip
def test_times_and_complex_numbers_are_no_scores(prediction: Any) -> None:
    with pytest.raises(OutputError, match=r"the model predicts (complex|datetime|timedelta)\S+, not a number"):
        as_outputs(prediction, 2)


def test_outputs_are_picked_by_name_and_by_position() -> None:
    named = as_outputs(pd.DataFrame({"stay": [0.1, 0.2], "buy": [0.3, 0.4], "leave": [0.6, 0.4]}), 2)
    assert pick(named, ["buy", 0]).tolist() == [[0.3, 0.1], [0.4, 0.2]]
    classes = as_outputs(np.array([[0.2, 0.3, 0.5]]), 1)
    assert pick(classes, [2, 1]).tolist() == [[0.5, 0.3]]


@pytest.mark.parametrize(("wanted", "message"), [
    (None, r"predicts stay, buy; say in model\.outputs which of them is the score"),
    ("bye", "no output bye; it has stay, buy"),
    (2, "no output at position 2; it has 2"),
])  # fmt: skip
def test_output_that_is_not_there_or_not_clear_is_named(wanted: Any, message: str) -> None:
    with pytest.raises(OutputError, match=message):
        pick(as_outputs(pd.DataFrame({"stay": [0.1], "buy": [0.3]}), 1), [wanted])


def test_output_without_names_is_not_found_by_name() -> None:
    with pytest.raises(OutputError, match="no output p; it has outputs without names"):
        pick(as_outputs([0.5], 1), ["p"])


def test_predictions_for_parts_are_joined_in_order() -> None:
    parts = [as_outputs([{"a": 1.0, "b": "x"}], 1), as_outputs([{"a": 2.0, "b": "y"}, {"a": 3.0, "b": "z"}], 2)]
    values, names, texts = joined(parts)
    assert (values[:, 0].tolist(), names, set(texts)) == ([1.0, 2.0, 3.0], ("a", "b"), {1})


def test_parts_with_different_outputs_are_not_joined() -> None:
    with pytest.raises(OutputError, match="different outputs for different clicks"):
        joined([as_outputs([0.5], 1), as_outputs([{"a": 1.0}], 1)])
