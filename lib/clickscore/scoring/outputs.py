"""Predictions become numbers: one row for each click, one column for each output."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pick = str | int | None
"""An output by its name, by its position from 0, or the one that there is."""

LABELS = ("label", "output_label")
"""What converters to ONNX call the output with the predicted class, which stands beside the probabilities."""
_NO_NUMBERS = "cmM"
"""Kinds of arrays that NumPy would make numbers of: complex numbers, durations and times."""
_LISTED = 20
"""Outputs that a message names; a model of a thousand classes has a thousand."""


class OutputError(ValueError):
    """Raised when a prediction does not have the shape that scores are made of."""


class Outputs(NamedTuple):
    """Predictions.

    Attributes:
        values: a row for each click and a column for each output, NaN where the output is text.
        names: the name of each column where the model has names; of an output with several numbers ``name[0]``, ...
        texts: position of each output that is text, with one of its values.
    """

    values: Floats
    names: tuple[str, ...]
    texts: Mapping[int, str] = {}


def as_outputs(prediction: Any, rows: int) -> Outputs:
    """Return whatever a model predicts as numbers.

    A model may return one number per click, an array of several, a DataFrame or a dictionary of named ones, or a list
    of dictionaries. Of a single click it may leave out the dimension that counts clicks, as NumPy's ``squeeze`` does.

    Raises:
        OutputError: if there is not exactly one row for each click.
    """
    # A model that does not use pandas predicts no DataFrame, and then pandas need not be imported.
    pandas = sys.modules.get("pandas")
    if pandas and isinstance(prediction, pandas.DataFrame):
        columns = [(str(name), prediction.iloc[:, number]) for number, name in enumerate(prediction.columns)]
    elif isinstance(prediction, Mapping):
        columns = [(str(name), value) for name, value in prediction.items()]
    elif dictionaries := _dictionaries(prediction):
        columns = [(str(name), [row[name] for row in dictionaries]) for name in dictionaries[0]]
    else:
        columns = [("", prediction)]
    parts = [part for name, value in columns for part in _parts(name, value, rows)]
    if not parts:
        raise _shape_error(prediction, rows)
    texts = {number: str(values[0]) for number, (_, values) in enumerate(parts) if _is_text(values)}
    numbers = [np.full(rows, np.nan) if number in texts else values for number, (_, values) in enumerate(parts)]
    names = tuple(name for name, _ in parts)
    return Outputs(np.column_stack(numbers).astype(np.float64), names if any(names) else (), texts)


def _dictionaries(prediction: Any) -> Sequence[Mapping[Any, Any]] | None:
    """Return a prediction that is one dictionary for each click; else None."""
    is_list = isinstance(prediction, Sequence) or (isinstance(prediction, np.ndarray) and prediction.ndim == 1)
    return prediction if is_list and len(prediction) and isinstance(prediction[0], Mapping) else None


def _parts(name: str, value: Any, rows: int) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the columns of an output, each with a name, as arrays of numbers or of texts."""
    if name and (dictionaries := _dictionaries(value)):  # as ONNX classifiers give probabilities, from ``zipmap``
        for key in dictionaries[0]:
            yield from _parts(f"{name}[{key}]", [row[key] for row in dictionaries], rows)
        return
    array = _as_array(value)
    if array.size == rows:
        array = array.reshape(rows, 1)
    elif rows == 1 and array.ndim == 1:
        array = array.reshape(1, -1)
    if array.ndim != 2 or array.shape[0] != rows or not array.shape[1]:
        raise _shape_error(value, rows, name)
    for number, column in enumerate(array.T):
        yield f"{name}[{number}]" if name and array.shape[1] > 1 else name, column


def _as_array(value: Any) -> npt.NDArray[Any]:
    """Return numbers as an array of them, and what holds a text as it is."""
    pandas = sys.modules.get("pandas")
    if pandas and isinstance(value, pandas.Series) and pandas.api.types.is_numeric_dtype(value.dtype):
        numbers: Floats = value.to_numpy(np.float64, na_value=np.nan)
        return numbers
    array = np.asarray(value)
    if array.dtype.kind in _NO_NUMBERS:
        raise OutputError(f"the model predicts {array.dtype}, not a number. Log it so that it predicts a probability")
    return array if _is_text(array) else array.astype(np.float64)


def _is_text(array: npt.NDArray[Any]) -> bool:
    if array.dtype.kind == "O":
        return any(isinstance(value, str | bytes) for value in array.flat)
    return array.dtype.kind in "US"


def _shape_error(prediction: Any, rows: int, name: str = "") -> OutputError:
    output = f" in {name}" if name else ""
    return OutputError(
        f"the model must predict one number, or one row of numbers, for each of {rows} clicks; it predicted an "
        f"array of shape {np.shape(prediction)}{output}"
    )


def joined(parts: Sequence[Outputs]) -> Outputs:
    """Return the predictions for several parts of some clicks, one after the other.

    Raises:
        OutputError: if they do not have the same outputs.
    """
    first = parts[0]
    if any(part.names != first.names or part.values.shape[1] != first.values.shape[1] for part in parts):
        raise OutputError("the model gives different outputs for different clicks")
    texts = {position: text for part in parts for position, text in part.texts.items()}
    return Outputs(np.concatenate([part.values for part in parts]), first.names, texts)


def pick(outputs: Outputs, picks: Sequence[Pick]) -> Floats:
    """Return the columns that were asked for; None stands for the only one, or the second of two probabilities.

    Raises:
        OutputError: if there is no such output, it is text, or None leaves a choice.
    """
    return outputs.values[:, [position(outputs, wanted) for wanted in picks]]


def position(outputs: Outputs, wanted: Pick) -> int:
    """Return the column of an output that was asked for; raises as ``pick`` does."""
    if wanted is None:
        return _only(outputs)
    count: int = outputs.values.shape[1]
    if isinstance(wanted, str) and wanted not in outputs.names:
        found = _listed(outputs) if outputs.names else "outputs without names"
        raise OutputError(f"the model has no output {wanted}; it has {found}")
    column = outputs.names.index(wanted) if isinstance(wanted, str) else wanted
    if column >= count:
        raise OutputError(f"the model has no output at position {wanted}; it has {count}")
    if column in outputs.texts:
        raise OutputError(f"output {wanted} of the model is text, such as {outputs.texts[column]!r}, not a number")
    return column


def _only(outputs: Outputs) -> int:
    """Return the position of the only number, or of the second of two class probabilities; labels do not count."""
    numbers = [position for position in range(outputs.values.shape[1]) if position not in outputs.texts]
    if not numbers:
        raise OutputError(
            f"the model predicts text, such as {next(iter(outputs.texts.values()))!r}, not a number. Log it so that "
            "it predicts probabilities: a scikit-learn model with pyfunc_predict_fn='predict_proba', the booster_ of "
            "a LightGBM classifier, any other in a pyfunc of your own"
        )
    if len(numbers) > 1 and outputs.names:
        numbers = [position for position in numbers if outputs.names[position] not in LABELS] or numbers
    names = [outputs.names[position] for position in numbers] if outputs.names else []
    of_one = {name.partition("[")[0] for name in names if name.endswith("]")}
    are_classes = all(name.isdecimal() for name in names) or (len(of_one) == 1 and all("[" in name for name in names))
    if len(numbers) == 1 or (len(numbers) == 2 and are_classes):
        return numbers[-1]
    example = outputs.names[numbers[-1]] if outputs.names else numbers[-1]
    raise OutputError(
        f"the model predicts {_listed(outputs)}; say in model.outputs which of them is the score, for example "
        f"outputs: {{score: {json.dumps(example)}}}"
    )


def _listed(outputs: Outputs) -> str:
    if not outputs.names:
        return f"{outputs.values.shape[1]} numbers"
    names = [f"{name} (text)" if number in outputs.texts else name for number, name in enumerate(outputs.names)]
    return ", ".join(names[:_LISTED]) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
