"""The first pass over a micro-batch: clicks are scored into their table, and a model that fails is dealt with.

A model may fail on some clicks; they are found and counted. If it fails on more than it may, nothing is committed and
the run ends. If a Python worker dies, the challenger is the first to be suspected; without one, the micro-batch is
scored once more with the model in a process of its own, so that the click that ends it can be found.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from clickscore.errors import StreamError, WorkerLostError
from clickscore.registry.version import ModelVersion
from clickscore.scoring.isolation import HANGS, Tolerance
from clickscore.stream import pipeline
from clickscore.stream.pipeline import Challenge, Contract
from clickscore.stream.rows import FAILURE, PREDICTED_COLUMN, Predict, Stamp

ALWAYS_ALLOWED = 10
"""Clicks that any model may fail on: of a few clicks, one poisonous one is always a large share."""
SLACK = 10_000
"""Clicks of an Arrow batch; a task judges a share against at least so many."""

_TOO_MANY = re.compile(r"TooManyFailuresError: (?P<what>[^\n]*)")
_CRASH = re.compile(r"Python worker exited unexpectedly|Python worker.*crashed", re.IGNORECASE)

Result = TypeVar("Result")
Answered = dict[str, Any]
"""The counts of ``pipeline.census`` and ``pipeline.verdicts``."""


@dataclass
class Tally:
    """How much more often a model has failed than it may: Page's cumulative sum, https://doi.org/10.2307/2333009.

    It judges small micro-batches together, and lets no long good time pay for a bad hour.
    """

    share: float
    excess: float = 0.0

    def allowed(self, clicks: int) -> float:
        """Return on how many of the next clicks it may fail."""
        return self.count + self.share * clicks

    @property
    def count(self) -> float:
        """On how many it may fail whatever their number."""
        return max(0.0, ALWAYS_ALLOWED - self.excess)

    def add(self, failed: int, clicks: int) -> None:
        """Take a micro-batch into account."""
        self.excess = max(0.0, self.excess + failed - self.share * clicks)


class BrokenModelError(StreamError):
    """Raised when a model fails on more clicks than it may; nothing of the micro-batch has been written."""


class WorkerCrashError(Exception):
    """Raised when a Python worker has died."""


class TooManyError(Exception):
    """Raised when a task has met more failures than it may."""


@dataclass
class FirstPass:
    """Scores micro-batches.

    Attributes:
        contract: what a click is.
        predict_with: version, tolerance and challenger to predict function.
        share: share of the visitors that a challenger scores.
        time_limit_s: how long one call of the model may take.
        failure_limit: share of clicks that it may fail on.
        suspend: lets the challenger score no more, for a reason, from a micro-batch on.
        withdraw: takes the promise back that a champion scores a micro-batch.
        tell: tells a person.
    """

    contract: Contract
    predict_with: Callable[[ModelVersion, Tolerance, ModelVersion | None], Predict]
    share: float
    time_limit_s: float
    failure_limit: float
    suspend: Callable[[ModelVersion, str, int], None]
    withdraw: Callable[[ModelVersion, str, int], None]
    tell: Callable[[str], None]
    _tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def score(
        self, outcomes_for: Callable[[Challenge | None], DataFrame], champion: ModelVersion,
        challenger: ModelVersion | None, stamp: Stamp, write: Callable[[DataFrame], None],
    ) -> Answered:  # fmt: skip
        """Score the clicks of a micro-batch and write them.

        Args:
            outcomes_for: the decoded records with the features of both models.
            champion: scores every click.
            challenger: scores some visitors as well.
            stamp: what all rows have in common.
            write: appends rows to ``scored_clicks``.

        Raises:
            BrokenModelError: if the champion fails on more clicks than it may.
        """
        tally = self._tallies.setdefault(champion.key, Tally(self.failure_limit))
        tolerance = Tolerance(self.time_limit_s, tally.count, tally.share, SLACK)
        in_doubt = is_judged = False
        while True:
            challenge = Challenge(challenger.inputs, self.share) if challenger else None
            stamp = replace(stamp, challenger_version=challenger.version if challenger else None)
            outcomes = outcomes_for(challenge)
            try:
                if in_doubt:
                    allowed = self._judge(outcomes, champion, tally, tolerance, stamp)
                    tolerance, in_doubt, is_judged = replace(tolerance, count=allowed, share=0.0), False, True
                predict = self.predict_with(champion, tolerance, challenger)
                answered = guarded(partial(self._write, outcomes, predict, challenge, stamp, write))
                break
            except WorkerCrashError as error:
                if challenger:
                    self.suspend(challenger, f"a Python worker has died while it was at work: {error}", stamp.batch_id)
                    challenger = None
                elif tolerance.in_child:
                    raise WorkerLostError(f"a Python worker has died, and not of the model: {error}") from error
                else:
                    self.tell(f"a Python worker has died; batch {stamp.batch_id} is scored again, "
                              f"with {champion.label} in a process of its own")  # fmt: skip
                    tolerance = replace(tolerance, in_child=True)
            except TooManyError as error:
                if is_judged:
                    raise self._broken(champion, stamp, str(error)) from error
                in_doubt = True  # One task has met too many; whether all of them together have is another question.
        asked = answered["read"] - answered["rejected"] - answered["duplicates"]
        tally.add(answered["failed"], asked)
        if challenger:
            self._judge_challenger(challenger, answered, stamp.batch_id + 1)
        return answered

    def _write(
        self, outcomes: DataFrame, predict: Predict, challenge: Challenge | None, stamp: Stamp,
        write: Callable[[DataFrame], None],
    ) -> Answered:  # fmt: skip
        before, after = Observation(), Observation()
        records = outcomes.observe(before, *pipeline.census(self.contract))
        predictions = pipeline.predicted(records, predict, challenge is not None)
        counted = predictions.observe(after, *pipeline.verdicts(self.contract, challenge is not None))
        write(pipeline.scored(counted, self.contract, stamp))
        return before.get | after.get

    def _judge(
        self, outcomes: DataFrame, champion: ModelVersion, tally: Tally, tolerance: Tolerance, stamp: Stamp
    ) -> float:
        """Count over the whole micro-batch without writing; return how many clicks may fail."""
        allowed = tally.allowed(pipeline.accepted(outcomes).count())
        predict = self.predict_with(champion, replace(tolerance, count=allowed, share=0.0), None)
        predictions = pipeline.predicted(outcomes, predict)
        try:
            failed = guarded(predictions.agg(F.count(F.col(PREDICTED_COLUMN)[FAILURE])).collect)[0][0]
        except TooManyError as error:
            raise self._broken(champion, stamp, str(error)) from error
        if failed > allowed:
            raise self._broken(champion, stamp, f"{failed} clicks of the micro-batch")
        return allowed

    def _broken(self, champion: ModelVersion, stamp: Stamp, what: str) -> BrokenModelError:
        self.withdraw(champion, what, stamp.batch_id)
        if HANGS in what:
            return BrokenModelError(
                f"batch {stamp.batch_id}: {champion.label} again and again takes longer than model.time_limit "
                f"({self.time_limit_s:g} s): {what}. Nothing of this micro-batch was written. Let the alias point to a "
                f"version that works, or shorten the limit so that more such clicks can be rejected, and start again."
            )
        return BrokenModelError(
            f"batch {stamp.batch_id}: {champion.label} fails on more clicks than model.failure_limit "
            f"({self.failure_limit:.2%}) allows: {what}. Nothing of this micro-batch was written. Let the alias point "
            f"to a version that works, or raise the limit, and start again."
        )

    def _judge_challenger(self, challenger: ModelVersion, answered: Answered, next_batch: int) -> None:
        tally = self._tallies.setdefault(challenger.key, Tally(self.failure_limit))
        failed, challenged = answered["challenger_failed"], answered["challenged"]
        if failed > tally.allowed(challenged):
            cause = f"it failed on {failed} of {challenged} clicks: {answered['challenger_failure']}"
            self.suspend(challenger, cause, next_batch)
        tally.add(failed, challenged)


def guarded(action: Callable[[], Result]) -> Result:
    """Run a Spark job; tell the failures that have to do with the model from the others.

    Raises:
        TooManyError: if a task has met more failures than it may.
        WorkerCrashError: if a Python worker has died.
    """
    try:
        return action()
    except (PySparkException, Py4JJavaError) as error:
        text = str(error)
        if found := _TOO_MANY.search(text):
            raise TooManyError(found["what"]) from error
        if found := _CRASH.search(text):
            raise WorkerCrashError(found[0]) from error
        raise
