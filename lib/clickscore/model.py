"""The model at work: its files go to the executors, each Python worker loads it once, a column function applies it."""

import shutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyspark import SparkFiles
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import types as T
from pyspark.sql.pandas.functions import arrow_udf, pandas_udf

from clickscore.errors import ModelError
from clickscore.registry import ModelVersion
from clickscore.scoring import Predict

LOADED_VERSIONS = 2
"""Model versions that a Python worker keeps in memory: the current one, and the one before for a replayed batch."""

Scorer = Callable[[pa.StructArray], npt.NDArray[np.float64]]
"""A loaded model: the inputs of some clicks to their scores."""


def share(spark: SparkSession, model: ModelVersion) -> None:
    """Give every executor the model's files, once per session."""
    if Path(SparkFiles.get(model.archive)).exists():
        return
    archive = model.folder.parent / model.archive
    shutil.make_archive(str(archive.with_suffix("")), "zip", model.folder)
    spark.addArtifacts(str(archive), archive=True)


def warm_up(spark: SparkSession, model: ModelVersion) -> None:
    """Load the model in the Python workers before the first click needs it.

    Raises:
        ModelError: if it cannot be loaded there, or fails on its own input example; a Booster, on a click with nothing.
    """
    archive, is_booster, names = model.archive, model.is_booster, model.inputs.names

    def load(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        folder = SparkFiles.get(archive)
        if is_booster:
            nothing = pa.array([None], pa.float64())
            _load_booster(folder)(pa.StructArray.from_arrays([nothing] * len(names), names))
        else:
            _try_example(folder)
        yield from batches

    workers = spark.sparkContext.defaultParallelism
    try:
        spark.range(workers, numPartitions=workers).select(arrow_udf(load, T.LongType())("id")).collect()
    except PySparkException as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(f"{model.name} version {model.version} cannot be used for scoring: {reason}") from None


def predict_with(model: ModelVersion) -> Predict:
    """Return the model as a function of a struct column with the model's inputs.

    A LightGBM Booster reads the Arrow data as it is; any other model gets a pandas DataFrame through ``pyfunc``.
    """
    archive = model.archive

    def predict_arrow(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        score = _load_booster(SparkFiles.get(archive))
        for inputs in batches:
            yield pa.array(score(inputs), pa.float64())

    def predict_pandas(batches: Iterator[pd.DataFrame]) -> Iterator[pd.Series]:
        score = _load_pyfunc(SparkFiles.get(archive))
        for inputs in batches:
            yield pd.Series(score(inputs))

    udf = arrow_udf(predict_arrow, T.DoubleType()) if model.is_booster else pandas_udf(predict_pandas, T.DoubleType())
    return cast(Predict, udf)


@lru_cache(maxsize=LOADED_VERSIONS)
def _load_booster(folder: str) -> Scorer:
    import lightgbm

    booster = lightgbm.Booster(model_file=Path(folder, "model.lgb"))

    def score(inputs: pa.StructArray) -> npt.NDArray[np.float64]:
        table = pa.Table.from_arrays(inputs.flatten(), names=[field.name for field in inputs.type])
        return as_scores(booster.predict(table, num_threads=1), len(inputs))

    return score


@lru_cache(maxsize=LOADED_VERSIONS)
def _load_pyfunc(folder: str) -> Callable[[pd.DataFrame], npt.NDArray[np.float64]]:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(folder)

    def score(inputs: pd.DataFrame) -> npt.NDArray[np.float64]:
        return as_scores(model.predict(inputs), len(inputs))

    return score


def _try_example(folder: str) -> None:
    import mlflow.pyfunc

    score = _load_pyfunc(folder)
    example = mlflow.pyfunc.load_model(folder).input_example
    if isinstance(example, pd.DataFrame):
        score(example)


def as_scores(prediction: Any, rows: int) -> npt.NDArray[np.float64]:
    """Return one score per row from whatever a model predicts.

    One number per row is the score; of the two class probabilities of a binary classifier it is the second.

    Raises:
        ValueError: for any other shape.
    """
    scores = np.asarray(prediction, dtype=np.float64)
    if scores.ndim == 2 and scores.shape[1] in (1, 2):
        scores = scores[:, -1]
    if scores.shape != (rows,):
        raise ValueError(f"the model must predict one number, or two class probabilities, for each of {rows} clicks; "
                         f"it predicted an array of shape {scores.shape}")  # fmt: skip
    return scores
