"""What a learner can be trained on: features that are numbers, under names that the learner takes."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow as pa

from clickscore.errors import ConfigError, ModelError
from clickscore.scoring.feature_engine import quoted, sql_type

LABEL, VISIT_START = "_label", "_visit_start"
"""Columns beside the features of an example: whether its visit was a success, and when it began."""
SCORE, VERSION, VISITOR = "_score", "_version", "_visitor"
"""Columns of an example that was a scored click: its score, the version that gave it, and a hash of whose it is."""

NOT_IN_NAMES: Mapping[str, str] = MappingProxyType({"lightgbm": '",:[]{} \n\r', "xgboost": "[]<"})
"""Characters that a learner does not take in the name of a feature, or changes: LightGBM makes ``a_b`` of ``a b``."""


def check_trainable(schema: pa.Schema, where: str, algorithm: str) -> None:
    """Make sure that a learner can be trained on features.

    Args:
        schema: what the features file produces.
        where: the features file, for the message.
        algorithm: name of the learner.

    Raises:
        ConfigError: with each wrong feature, its type or name, and what to write instead.
    """
    problems = [problem for field in schema for problem in _problems(field, algorithm)]
    if problems:
        raise ConfigError(where, problems)


def _problems(field: pa.Field, algorithm: str) -> Iterator[str]:
    if not _is_number(field.type):
        yield f"{field.name} is {sql_type(field.type)}, a model is trained on numbers: write {_instead(field)}"
    odd = [character for character in field.name if character in NOT_IN_NAMES[algorithm]]
    if odd:
        yield f"{field.name}: {algorithm} takes no {odd[0]!r} in the name of a feature; give it another name"
    if field.name in (LABEL, VISIT_START, SCORE, VERSION, VISITOR):
        yield f"{field.name}: training uses this name itself; give the feature another one"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_signed_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _instead(field: pa.Field) -> str:
    kind, name = field.type, quoted(field.name)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind):
        part = "hour" if not pa.types.is_date(kind) else "isodow"
        return f"a part of it, such as {part}(...) AS {name}, or the seconds since 1970, epoch(...) AS {name}"
    if pa.types.is_string(kind) or pa.types.is_dictionary(kind):
        return f"a number for each of its values, such as CASE WHEN ... = 'x' THEN 1.0 ELSE 0.0 END AS {name}"
    if pa.types.is_decimal(kind) or pa.types.is_unsigned_integer(kind):
        return f"CAST(... AS DOUBLE) AS {name}"
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        return f"its length, len(...) AS {name}, or one element of it"
    if pa.types.is_struct(kind):
        return "one feature for each of its fields"
    return f"an expression that is a number, or CAST(... AS DOUBLE) AS {name}"


def as_inputs(features: pd.DataFrame) -> pa.StructArray:
    """Return features, as ``as_numbers`` gives them, in the way in which a model in service gets them."""
    columns = [pa.array(features[name], pa.float64(), from_pandas=True) for name in features]
    return pa.StructArray.from_arrays(columns, list(features))


def as_numbers(features: pd.DataFrame, algorithm: str) -> pd.DataFrame:
    """Return features as the learner takes them: each ``float64``, with NaN for null.

    Raises:
        ModelError: if one is infinite and the learner does not take that.
    """
    numbers = features.astype(np.float64)
    infinite = [name for name in numbers if np.isinf(numbers[name]).any()] if algorithm == "xgboost" else []
    if infinite:
        raise ModelError(
            f"{', '.join(infinite)}: infinite in some clicks, which xgboost does not take. "
            f"A division by zero is infinite: write a / nullif(b, 0) in the features file."
        )
    return numbers


def doubts(features: pd.DataFrame) -> list[str]:
    """Say which features tell a model nothing: those that are null, or the same, in every click."""
    empty = [name for name in features if features[name].isna().all()]
    constant = [name for name in features if features[name].nunique(dropna=False) == 1 and name not in empty]
    found = [f"{name} is null in every click: the model learns nothing from it. Is its field filled?" for name in empty]
    return found + [
        f"{name} is {features[name].iloc[0]:g} in every click: the model learns nothing from it" for name in constant
    ]
