"""The trial of a version, before any click comes: it is loaded, and answers its example as when it was registered."""

import multiprocessing
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pyarrow as pa

from clickscore.errors import ModelError
from clickscore.registry.version import ModelVersion
from clickscore.scoring.isolation import describe, reply_of
from clickscore.scoring.models import BOOSTER, Predict, answer, load
from clickscore.scoring.outputs import Pick
from clickscore.scoring.time_limit import KILL_AFTER, OutOfTimeError, time_limit

TOLERANCE = 1e-6
"""Relative difference of a prediction that is put down to another processor; float32 has seven digits."""
LOAD_LIMIT_S = 120
"""How long a version may take to load; the libraries of some take half a minute on a busy machine."""


def try_aside(model: ModelVersion, picks: tuple[Pick, ...], time_limit_s: float) -> None:
    """Try a version in a process of its own, which it may hang or end without harm to this one.

    Args:
        model: the version, whose files have been checked.
        picks: the outputs that become columns.
        time_limit_s: how long it may take for its input example.

    Raises:
        ModelError: if it cannot be loaded, fails, takes too long, or answers otherwise than when it was registered.
    """
    context = multiprocessing.get_context("spawn")  # a fork would share locks of threads that it does not have
    reader, writer = context.Pipe(duplex=False)
    child = context.Process(target=_try, args=(writer, model, picks, time_limit_s), daemon=True)
    limit_s = LOAD_LIMIT_S + (1 + KILL_AFTER) * time_limit_s
    try:
        problem = reply_of(child, reader, writer, limit_s)
    except OutOfTimeError:
        raise ModelError(f"its trial does not end within {limit_s:g} s") from None
    except EOFError:
        raise ModelError(f"its trial has ended the process (exit code {child.exitcode})") from None
    if problem is not None:
        raise ModelError(problem)


def _try(writer: Connection, model: ModelVersion, picks: tuple[Pick, ...], time_limit_s: float) -> None:
    if model.kind == BOOSTER:
        # LightGBM imports scikit-learn, more than a second of CPU time, for estimators that a Booster does not have.
        # Other code may ask for them, but not in this process, which ends after the trial.
        modules: dict[str, Any] = sys.modules
        modules["sklearn"] = None
    problem, example = None, example_of(model)
    try:
        predict = load_in_time(lambda: load(model.kind, model.folder))
        if example is not None:
            check_answers(predict, example, picks, model.answers, time_limit_s)
    except ModelError as error:
        problem = str(error)
    writer.send(problem)


def load_in_time(load: Callable[[], Predict]) -> Predict:
    """Return the model in memory.

    Raises:
        ModelError: if loading it fails or takes too long.
    """
    try:
        with time_limit(LOAD_LIMIT_S, LOAD_LIMIT_S):
            return load()
    except ModelError:
        raise
    except OutOfTimeError:
        raise ModelError(f"it cannot be loaded within {LOAD_LIMIT_S} s") from None
    except Exception as error:  # a missing library, a damaged file: whatever it is, the version is refused
        raise ModelError(f"it cannot be loaded: {describe(error)}") from None


def check_answers(
    predict: Predict, example: pa.StructArray, picks: tuple[Pick, ...], answers: tuple[float, ...], time_limit_s: float
) -> None:
    """Let a model in memory score its input example.

    Args:
        predict: the model.
        example: its input example.
        picks: the outputs that become columns.
        answers: what it answered when it was registered; empty where that is not known.
        time_limit_s: how long it may take.

    Raises:
        ModelError: if it fails, takes too long, or answers otherwise than when it was registered.
    """
    try:
        with time_limit(time_limit_s, time_limit_s):
            outputs = answer(predict, example, picks)
    except OutOfTimeError:
        raise ModelError(f"it needs more than {time_limit_s:g} s for its input example") from None
    found, expected = outputs.values.ravel(), np.asarray(answers)
    if answers and not (
        found.shape == expected.shape and np.allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE**2)
    ):
        raise ModelError(
            f"it does not answer its input example as when it was registered: expected {expected[:3].tolist()}, found "
            f"{found[:3].tolist()}. Compare the library versions with those that it was made with."
        )


def example_of(model: ModelVersion) -> pa.StructArray | None:
    """Return what a version is tried on: its input example, or for any Booster a click about which nothing is known."""
    if model.example is None and model.kind == BOOSTER:
        nothing = [pa.nulls(1, field.type) for field in model.inputs]
        return pa.StructArray.from_arrays(nothing, model.inputs.names)
    return model.example
