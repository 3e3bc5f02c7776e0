"""Scoring of a micro-batch, with all that happens when a model or a Python worker fails.

A model may fail on some clicks; they are found and counted. If it fails on more than it may, nothing is committed and
the run ends. If a Python worker dies, the challenger is the first to be suspected; without one, the micro-batch is
scored once more with the model in a process of its own, so that the click that ends it can be found. A worker that was
silent for too long and was ended says nothing against a model: the micro-batch is just scored once more.

How much is rejected is known only with the commit. Where there is a limit, each task judges its own records: if the
micro-batch is above it, so is one of its tasks. Then all is counted, without writing.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import inf
from typing import TypeVar

from pyspark import StorageLevel
from pyspark.sql import DataFrame, Observation

from clickscore.errors import StreamError, WorkerLostError
from clickscore.registry.version import ModelVersion
from clickscore.scoring.isolation import HANGS, Tolerance
from clickscore.scoring.scorer import COUNTS
from clickscore.spark_errors import TooManyError, WorkerCrashError, WorkerSilentError, guarded
from clickscore.storage.constraints import Constraint
from clickscore.storage.schemas import Layout
from clickscore.stream import pipeline, silence
from clickscore.stream.batch_counts import BatchCounts
from clickscore.stream.packed_records import count
from clickscore.stream.pipeline import Stamp
from clickscore.stream.rejected_share import NO_LIMIT, RejectLimit
from clickscore.stream.score_counts import ScoreCounts
from clickscore.stream.score_function import ScoreFunction
from clickscore.stream.tally import Tally

SLACK = 10_000
"""Clicks of an Arrow batch; a task judges a share against at least so many."""

Result = TypeVar("Result")


class BrokenModelError(StreamError):
    """Raised when a model fails on more clicks than it may; nothing of the micro-batch has been written."""


@dataclass
class BatchScorer:
    """Scores micro-batches.

    Attributes:
        layout: the columns of the tables.
        score_with: version, tolerance and challenger to the function that scores records.
        time_limit_s: how long one call of the model may take.
        failure_limit: share of clicks that it may fail on.
        suspend: lets the challenger score no more, for a reason, from a micro-batch on.
        withdraw: takes the promise back that a champion scores a micro-batch.
        tell: prints a line on the console.
        reject_limit: how much of a micro-batch may be rejected.
        score_counts: what is counted of the scores.
    """

    layout: Layout
    score_with: Callable[[ModelVersion, Tolerance, ModelVersion | None], ScoreFunction]
    time_limit_s: float
    failure_limit: float
    suspend: Callable[[ModelVersion, str, int], None]
    withdraw: Callable[[ModelVersion, str, int], None]
    tell: Callable[[str], None]
    reject_limit: RejectLimit = NO_LIMIT
    score_counts: ScoreCounts = field(default_factory=ScoreCounts)
    _tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def score(
        self, raw: DataFrame, champion: ModelVersion, challenger: ModelVersion | None, stamp: Stamp,
        write: Callable[[DataFrame], None], constraints: Sequence[Constraint] = (),
    ) -> BatchCounts:  # fmt: skip
        """Score the records of a micro-batch and write the clicks that got a score.

        Args:
            raw: the records, as in ``schemas.raw``, or packed, with duplicates among them.
            champion: scores every click.
            challenger: scores some visitors as well.
            stamp: what all rows have in common.
            write: appends rows to ``scored_clicks``.
            constraints: of that table; a click that breaks one is rejected.

        Raises:
            BrokenModelError: if the champion fails on more clicks than it may.
            RejectLimitError: if too much of the micro-batch is rejected; nothing of it has been written then.
            WorkerLostError: if Python workers die or fall silent, and the models are not to blame.
        """
        tally = self._tallies.setdefault(champion.key, Tally(self.failure_limit))
        limits = tally.count, tally.share, SLACK
        tolerance = Tolerance(self.time_limit_s, *limits, rejected_share=self.reject_limit.share)

        def attempt(tolerance: Tolerance, active: ModelVersion | None) -> BatchCounts:
            outcomes = self.score_with(champion, tolerance, active).outcomes(raw, self.layout)
            counted, mark = Observation(), replace(stamp, challenger_version=active.version if active else None)
            outcomes = pipeline.masked(pipeline.constrained(outcomes, self.layout, mark, constraints), self.layout)
            is_counted = champion.baseline is not None
            census = self.score_counts.census(self.layout, active is not None, stamp.is_sampled, is_counted)
            observed = outcomes.observe(counted, *census)
            write(pipeline.scored(observed, self.layout, mark))
            counts = BatchCounts.of(counted.get)
            if active:
                self._judge_challenger(active, counts, stamp.batch_id + 1)
            return counts

        try:
            counts = self._surviving(attempt, champion, challenger, tolerance, raw, stamp.batch_id)
        except TooManyError:  # One task has met too many; whether all of them together have is another question.
            tolerance = self._judge(raw, champion, tally, tolerance, stamp.batch_id)
            try:
                counts = self._surviving(attempt, champion, challenger, tolerance, raw, stamp.batch_id)
            except TooManyError as error:
                raise self._broken(champion, stamp.batch_id, str(error)) from error
        tally.add(counts.failed, counts.asked)
        self.score_counts.expect(counts.scored)
        return counts

    @contextmanager
    def kept_outcomes(
        self, raw: DataFrame, champion: ModelVersion, stamp: Stamp, constraints: Sequence[Constraint] = ()
    ) -> Iterator[DataFrame]:
        """Yield the records of a micro-batch with their outcomes, computed once and kept on disk meanwhile.

        The champion may fail as often as it likes: how often it did so counts in the pass that writes the scores.
        """

        def attempt(tolerance: Tolerance, _: ModelVersion | None) -> DataFrame:
            outcomes = self.score_with(champion, tolerance, None).outcomes(raw, self.layout)
            outcomes = pipeline.constrained(outcomes, self.layout, stamp, constraints)
            # Whoever asks for these may reject any of them.
            kept = pipeline.masked(outcomes, self.layout, "true").persist(StorageLevel.DISK_ONLY)
            try:
                kept.count()
            except BaseException:
                kept.unpersist()
                raise
            return kept

        boundless = Tolerance(self.time_limit_s, inf, hangs=inf)
        outcomes = self._surviving(attempt, champion, None, boundless, raw, stamp.batch_id)
        try:
            yield outcomes
        finally:
            outcomes.unpersist()

    def census(self, outcomes: DataFrame) -> BatchCounts:
        """Count over outcomes that are there."""
        is_counted = COUNTS in outcomes.select(f"{pipeline.OUTCOME}.*").columns
        [row] = outcomes.agg(*self.score_counts.census(self.layout, is_counted=is_counted)).collect()
        return BatchCounts.of(row.asDict())

    def _surviving(
        self, attempt: Callable[[Tolerance, ModelVersion | None], Result], champion: ModelVersion,
        challenger: ModelVersion | None, tolerance: Tolerance, raw: DataFrame, batch_id: int,
    ) -> Result:  # fmt: skip
        """Try until no Python worker dies of a model; the suspects go one after the other."""
        was_silent = False
        while True:
            began = time.monotonic()
            try:
                return guarded(partial(attempt, tolerance, challenger))
            except WorkerCrashError as error:
                ran_s, limit_s = time.monotonic() - began, silence.limit_s(raw.sparkSession)
                is_silent = isinstance(error, WorkerSilentError)
                # A silent worker with input that it has not read looks like one that has crashed: it gets one attempt.
                if not was_silent and (is_silent or 0 < limit_s <= ran_s):
                    was_silent = True
                    what = "was" if is_silent else f"died after {ran_s:.0f} s, perhaps because it was"
                    self.tell(f"a Python worker {what} silent for {limit_s:.0f} s and was ended; "
                              f"batch {batch_id} is scored again")  # fmt: skip
                elif is_silent:
                    raise WorkerLostError(
                        f"a Python worker was silent for {limit_s:.0f} s, twice in batch {batch_id}, and was ended "
                        f"each time: look for what stops the workers on that machine"
                    ) from error
                elif challenger:
                    self.suspend(challenger, f"a Python worker died while it was active: {error}", batch_id)
                    challenger = None
                elif tolerance.in_child:
                    raise WorkerLostError(f"a Python worker died, and the model is not the cause: {error}") from error
                else:
                    self.tell(f"a Python worker died; batch {batch_id} is scored again, "
                              f"with {champion.label} in a process of its own")  # fmt: skip
                    tolerance = replace(tolerance, in_child=True)

    def _judge(
        self, raw: DataFrame, champion: ModelVersion, tally: Tally, tolerance: Tolerance, batch_id: int
    ) -> Tolerance:
        """Count over the whole micro-batch without writing; return how much its tasks may fail.

        Raises:
            BrokenModelError: if the champion fails on more clicks than it may.
            RejectLimitError: if too much of it is rejected.
        """

        def attempt(tolerance: Tolerance, _: ModelVersion | None) -> BatchCounts:
            return self.census(self.score_with(champion, tolerance, None).outcomes(raw, self.layout))

        most = replace(tolerance, count=tally.allowed(count(raw)), share=0.0, rejected_share=1.0)
        try:
            counts = self._surviving(attempt, champion, None, most, raw, batch_id)
        except TooManyError as error:
            raise self._broken(champion, batch_id, str(error)) from error
        if counts.failed > tally.allowed(counts.asked):
            raise self._broken(champion, batch_id, f"{counts.failed} clicks of the micro-batch")
        self.check_rejected(counts, champion, batch_id)
        return most

    def check_rejected(self, counts: BatchCounts, champion: ModelVersion, batch_id: int) -> None:
        """Refuse a micro-batch of which too much is rejected, before anything of it is written.

        Raises:
            RejectLimitError: if it is.
        """
        if error := self.reject_limit.refusal(counts, batch_id):  # which has an example that stays out of the table
            self.withdraw(champion, "too many records were rejected", batch_id)
            raise error

    def _broken(self, champion: ModelVersion, batch_id: int, what: str) -> BrokenModelError:
        self.withdraw(champion, what, batch_id)
        remedy = f"Let the {'endpoint have' if champion.is_remote else 'alias point to'} a version that works"
        who, then = f"batch {batch_id}: {champion.label}", f"{what}. Nothing of this micro-batch was written. {remedy}"
        if HANGS in what:
            return BrokenModelError(
                f"{who} repeatedly takes longer than model.time_limit ({self.time_limit_s:g} s): {then}, or shorten "
                f"the limit so that more such clicks can be rejected, and start again."
            )
        return BrokenModelError(
            f"{who} fails on more clicks than model.failure_limit ({self.failure_limit:.2%}) allows: {then}, or raise "
            f"the limit, and start again."
        )

    def _judge_challenger(self, challenger: ModelVersion, counts: BatchCounts, next_batch: int) -> None:
        tally = self._tallies.setdefault(challenger.key, Tally(self.failure_limit))
        failed, challenged = counts.challenger_failed, counts.challenged
        if failed > tally.allowed(challenged):
            cause = counts.challenger_failure
            self.suspend(challenger, f"it failed on {failed} of {challenged} clicks: {cause}", next_batch)
        tally.add(failed, challenged)
