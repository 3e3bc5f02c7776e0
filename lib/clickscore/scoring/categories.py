"""The categories of a LightGBM Booster that was trained on pandas: it only knows their numbers, and keeps the list.

A signature cannot say that a column is categorical, so that pandas would get texts, which LightGBM takes for an error.
The numbers are looked up here instead, in the list that the Booster's own file ends with.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Categories = Mapping[int, pa.Array]
"""Position of a feature to its categories, the first of which the Booster knows as 0."""

_LIST = "pandas_categorical:"
_POSITIONS = re.compile(r"^\[categorical_feature: ([\d,]*)\]$", re.MULTILINE)


class CategoryError(ValueError):
    """Raised when nobody can tell which features a list of categories belongs to."""


def read_categories(file: Path) -> Categories:
    """Return the categories of a Booster, none where it was trained on numbers alone.

    Args:
        file: its text.

    Raises:
        CategoryError: if the file does not say which features they belong to.
    """
    text = file.read_text(encoding="utf-8")
    last_line = text.rstrip().rpartition("\n")[2]
    lists: list[list[Any]] = json.loads(last_line.removeprefix(_LIST)) or [] if last_line.startswith(_LIST) else []
    if not lists:
        return {}
    found = _POSITIONS.search(text)
    positions = [int(number) for number in found[1].split(",") if number] if found else []
    if len(positions) != len(lists):
        raise CategoryError(
            f"it was trained on {len(lists)} categorical columns of pandas, but its file names {len(positions)} of "
            f"them, as where some are ordered; make them unordered, or numbers, and train it again"
        )
    return {position: pa.array(categories) for position, categories in zip(positions, lists, strict=True)}


def as_numbers(columns: list[pa.Array], categories: Categories) -> list[pa.Array]:
    """Return the columns with the numbers of their categories, null for a value that is none."""
    return [
        pc.index_in(column, value_set=categories[number].cast(column.type)).cast(pa.float64())
        if number in categories
        else column
        for number, column in enumerate(columns)
    ]
