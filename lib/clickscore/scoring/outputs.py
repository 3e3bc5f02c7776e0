"""Predictions become numbers: one row for each click, one column for each output."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pick = str | int | None
"""An output by its name, by its position from 0, or the one that there is."""


class OutputError(ValueError):
    """Raised when a prediction does not have the shape that scores are made of."""


class Outputs(NamedTuple):
    """Predictions: ``values`` has a row for each click, ``names`` the name of each column where the model has names."""

    values: Floats
    names: tuple[str, ...]


def as_outputs(prediction: Any, rows: int) -> Outputs:
    """Return whatever a model predicts as numbers.

    A model may return one number per click, an array of several, a DataFrame or a dictionary of named ones, or a list
    of dictionaries.

    Raises:
        OutputError: if there is not exactly one row for each click.
    """
    names: tuple[str, ...] = ()
    if isinstance(prediction, Sequence) and prediction and isinstance(prediction[0], Mapping):
        prediction = {name: [row[name] for row in prediction] for name in prediction[0]}
    if isinstance(prediction, Mapping):
        names = tuple(map(str, prediction))
        prediction = np.column_stack([np.asarray(value).reshape(rows) for value in prediction.values()])
    # A model that does not use pandas predicts no DataFrame, and then pandas need not be imported.
    elif (pandas := sys.modules.get("pandas")) and isinstance(prediction, pandas.DataFrame):
        names = tuple(map(str, prediction.columns))
    values = np.asarray(prediction, dtype=np.float64)
    if values.ndim == 1:
        values = values.reshape(-1, 1)
    if values.ndim != 2 or values.shape[0] != rows or not values.shape[1]:
        raise OutputError(
            f"the model must predict one number, or one row of numbers, for each of {rows} clicks; it predicted an "
            f"array of shape {np.shape(prediction)}"
        )
    return Outputs(values, names)


def pick(outputs: Outputs, picks: Sequence[Pick]) -> Floats:
    """Return the columns that were asked for; None stands for the only one, or the second of two probabilities.

    Raises:
        OutputError: if there is no such output, or None leaves a choice.
    """
    return outputs.values[:, [_position(outputs, wanted) for wanted in picks]]


def _position(outputs: Outputs, wanted: Pick) -> int:
    count: int = outputs.values.shape[1]
    if wanted is None:
        is_class = all(name.isdecimal() for name in outputs.names)
        if count == 1 or (count == 2 and is_class):
            return count - 1
        found = ", ".join(outputs.names) or f"{count} numbers"
        raise OutputError(f"the model predicts {found}; say in model.outputs which of them is the score")
    if isinstance(wanted, str):
        if wanted in outputs.names:
            return outputs.names.index(wanted)
        found = ", ".join(outputs.names) or "outputs without names"
        raise OutputError(f"the model has no output {wanted}; it has {found}")
    if wanted < count:
        return wanted
    raise OutputError(f"the model has no output at position {wanted}; it has {count}")
