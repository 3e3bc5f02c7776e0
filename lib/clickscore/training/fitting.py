"""Examples become a model: it is fitted to the earlier visits, and judged on the later ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clickscore.config.training import Training
from clickscore.drift.baseline import baseline_of
from clickscore.errors import ModelError
from clickscore.registry.registry import Registry
from clickscore.training import evaluation
from clickscore.training.algorithms import LEARNERS, TREES, Learner
from clickscore.training.evaluation import Floats
from clickscore.training.registration import NO_TAGS, register
from clickscore.training.trainable import LABEL, VISIT_START, as_inputs, as_numbers

EXAMPLE_ROWS = 5
"""Clicks that are logged with the model, so that others can try it."""


@dataclass(frozen=True)
class Split:
    """Clicks for learning and clicks for judging; no visit has clicks in both.

    The rows of the features keep their index among the examples.
    """

    features: pd.DataFrame
    label: Floats
    held_out_features: pd.DataFrame
    held_out_label: Floats


@dataclass(frozen=True)
class Fitted:
    """A model, and how it does on the clicks that were held out.

    Attributes:
        model: as its library has it.
        learner: what has fitted it.
        split: the clicks.
        score: of each click that was held out.
        metrics: AUC, log loss, Brier score and calibration error over the clicks that were held out.
    """

    model: Any
    learner: Learner
    split: Split
    score: Floats
    metrics: dict[str, float]

    def register(
        self, registry: Registry, name: str, alias: str, tags: Mapping[str, str] = NO_TAGS
    ) -> tuple[str, bool]:
        """Register the model with its metrics, its plots and its baseline; see ``registration.register``."""
        return register(
            registry, self.model, self.learner, name, alias, self.split.features.head(EXAMPLE_ROWS),
            {**self.learner.parameters, "trees": TREES, "clicks": len(self.split.label)}, self.metrics,
            evaluation.figures(self.split.held_out_label, self.score, self.learner.gain(self.model)), tags,
            baseline_of(as_inputs(self.split.held_out_features), self.score),
        )  # fmt: skip

    def __str__(self) -> str:
        """Return in words what the model was trained on, and how it does."""
        judged = ", ".join(f"{name} {value:.4f}" for name, value in self.metrics.items())
        learned, held_out = len(self.split.label), len(self.split.held_out_label)
        return f"trained on {learned:,} clicks, evaluated on {held_out:,} later ones: {judged}"


def split_by_time(examples: pd.DataFrame, holdout: float) -> Split:
    """Hold out the visits that began in the last part of the time range.

    Raises:
        ModelError: if one side has no clicks, or not both outcomes.
    """
    start = examples[VISIT_START]
    is_held_out = start >= start.max() - (start.max() - start.min()) * holdout
    features = examples.drop(columns=[LABEL, VISIT_START])
    label = examples[LABEL].to_numpy(dtype=np.float64)
    split = Split(features[~is_held_out], label[~is_held_out], features[is_held_out], label[is_held_out])
    for side, outcomes in (("to learn from", split.label), ("held out", split.held_out_label)):
        if len(np.unique(outcomes)) < 2:
            raise ModelError(
                f"the {len(outcomes):,} clicks {side}, of which the outcome is known, do not have both outcomes. Check "
                f"outcome.success; or give a history that is longer than outcome.window, or a shorter window."
            )
    return split


def fit(examples: pd.DataFrame, names: Sequence[str], training: Training) -> Fitted:
    """Fit a model to examples, all but the last visits, and judge it on those.

    Args:
        examples: the features, numbers or null; ``_label``, 1.0 or 0.0; ``_visit_start``; other columns do not matter.
        names: of the features.
        training: the algorithm, and how much is held out.

    Raises:
        ModelError: if a side has not both outcomes, or a feature is infinite and the algorithm does not take that.
    """
    numbers = as_numbers(examples[list(names)], training.algorithm)
    split = split_by_time(numbers.assign(**{name: examples[name] for name in (LABEL, VISIT_START)}), training.holdout)
    learner = LEARNERS[training.algorithm]
    model = learner.fit(split.features, split.label)
    score = learner.predict(model, split.held_out_features)
    return Fitted(model, learner, split, score, evaluation.judge(split.held_out_label, score))
