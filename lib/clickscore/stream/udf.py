"""The scoring function of a micro-batch: chunks of features in, scores and failures out, champion and challenger."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import pyarrow as pa
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf

from clickscore.scoring.isolation import Isolation, Tolerance, TooManyFailuresError, describe
from clickscore.scoring.models import Scorer, Served, forget, scorer
from clickscore.scoring.outputs import Floats, Pick, pick
from clickscore.stream.rows import Predict, predicted_type

MOST_LISTED = 1_000
"""Failing clicks of a task that come to the driver with the reason; more would fill it. The others come without."""
UNLISTED = ""


@dataclass(frozen=True)
class Side:
    """A model version at work, and what it may do.

    Attributes:
        served: the version.
        picks: which of its outputs become columns.
        tolerance: how much it may fail.
    """

    served: Served
    picks: tuple[Pick, ...]
    tolerance: Tolerance


def predictor(
    columns: tuple[str, ...], champion: Side, challenger: Side | None = None, retired: tuple[str, ...] = ()
) -> Predict:
    """Return the function that scores the clicks of a micro-batch.

    Args:
        columns: names of the champion's scores.
        champion: scores every click.
        challenger: scores the clicks that are marked, or whose second struct of features is there.
        retired: digests of versions that the workers may forget.

    Returns:
        A function of the column with the champion's inputs, and of ``_challenger_features`` if there is one, to a
        struct of ``scoring.predicted_type``.
    """
    result = predicted_type(columns, challenger is not None)

    def score_one(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        forget(retired)
        champions = _Champion(champion)
        for inputs in batches:
            yield _as_struct(champions.score(inputs), result)
        champions.finish()

    def score_two(batches: Iterator[tuple[pa.Array, pa.Array]]) -> Iterator[pa.Array]:
        assert challenger
        forget(retired)
        champions, challengers = _Champion(champion), _Challenger(challenger)
        for inputs, challenged in batches:
            yield _as_struct([*champions.score(inputs), *challengers.score(inputs, challenged)], result)
        champions.finish()

    udf = arrow_udf(score_two if challenger else score_one, result)
    # Otherwise Spark would score once more to find out which clicks have failed.
    return cast(Predict, udf.asNondeterministic())


def _as_struct(arrays: list[pa.Array], result: T.StructType) -> pa.StructArray:
    return pa.StructArray.from_arrays(arrays, result.names)


class _Champion:
    """Scores every click of a task; those that it fails on are found."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._scorer = scorer(side.served)
        self._isolation = Isolation(side.tolerance)

    def score(self, inputs: pa.StructArray) -> list[pa.Array]:
        listed = MOST_LISTED - self._isolation.failures
        values, failures = self._isolation.score(
            partial(_predict, self._scorer, inputs, self._side.picks), len(inputs), len(self._side.picks)
        )
        return [*_columns(values), _causes(failures, len(inputs), listed)]

    def finish(self) -> None:
        self._isolation.finish()


class _Challenger:
    """Scores the clicks it gets until it fails too often or takes too long; then it is left on the bench."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._isolation = Isolation(side.tolerance)
        self._benched: str | None = None

    def score(self, champions: pa.StructArray, challenged: pa.Array) -> list[pa.Array]:
        # Either marks among the champion's inputs, or inputs of its own where there are any.
        is_marked = pa.types.is_boolean(challenged.type)
        inputs, chosen = (champions, challenged) if is_marked else (challenged, challenged.is_valid())
        rows = np.flatnonzero(chosen.to_numpy(zero_copy_only=False))
        values = np.full((len(inputs), 1), np.nan)
        failures: dict[int, str] = {}
        if len(rows) and not self._benched:
            try:
                found, causes = self._isolation.score(
                    partial(_predict, scorer(self._side.served), inputs.take(pa.array(rows)), self._side.picks),
                    len(rows), 1,
                )  # fmt: skip
                values[rows] = found
                failures = {int(rows[row]): cause for row, cause in causes.items()}
            except TooManyFailuresError as error:
                self._benched = str(error)
            except Exception as error:  # whatever the challenger does, even when it is loaded, harms nobody else
                self._benched = describe(error)
        if self._benched:
            failures = dict.fromkeys(rows.tolist(), self._benched)
            values[rows] = np.nan
        return [*_columns(values), _causes(failures, len(inputs), len(inputs))]


def _predict(score: Scorer, inputs: pa.StructArray, picks: tuple[Pick, ...], low: int, high: int) -> Floats:
    return pick(score(inputs.slice(low, high - low)), picks)


def _columns(values: Floats) -> list[pa.Array]:
    """Return the columns as arrays; NaN, which stands for no score, is null."""
    return [pa.array(np.ascontiguousarray(column), pa.float64(), from_pandas=True) for column in values.T]


def _causes(failures: dict[int, str], rows: int, listed: int) -> pa.Array:
    if not failures:
        return pa.nulls(rows, pa.string())
    causes: list[str | None] = [None] * rows
    for number, (row, cause) in enumerate(failures.items()):
        causes[row] = cause if number < listed else UNLISTED
    return pa.array(causes, pa.string())
