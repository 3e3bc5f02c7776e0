"""The last resort: a micro-batch that the table does not take, for a reason that lies in some of its rows.

Nothing is known of the reason but that the engine fails on it. So the rows are written on trial, into a copy of the
table that shares its schema, constraints and properties, all of them first and then ever smaller halves, until those
that cannot be written stand alone. They are rejected with the engine's words; all others are written as ever.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.errors import StreamError
from clickscore.reasons import CONSTRAINT_VIOLATED, UNWRITABLE
from clickscore.spark_errors import SPARK_ERRORS, Refusal, row_refusal
from clickscore.storage.files import remove
from clickscore.storage.schemas import Layout
from clickscore.storage.table import Table
from clickscore.stream import pipeline
from clickscore.stream.pipeline import Stamp

MOST_TRIALS = 500
"""Trials until a micro-batch counts as unwritable, each a second or two: about twenty rows of a hundred thousand."""

_FOLDER = "clickscore-trial"
"""Folder of the checkpoint with the copy, for as long as it is needed."""
_ROW, _REFUSAL, _KIND = "_row", "_refusal", "_kind"


class TooManyTrialsError(Exception):
    """Raised when the rows that cannot be written are not found with as many trials as there may be."""

    def __init__(self, found: dict[int, Refusal]) -> None:
        """Keep those that were found."""
        self.found = found
        super().__init__(f"{len(found)} rows were found")


def find_refused(
    rows: Sequence[int], refusal: Callable[[int, int], Refusal | None], most_trials: int = MOST_TRIALS
) -> dict[int, Refusal]:
    """Return the rows that cannot be written, and why, by halving those that cannot be written together.

    Args:
        rows: their numbers, ascending.
        refusal: tells why the rows from one number to another cannot be written; None if they can.
        most_trials: how often it may be asked.

    Raises:
        TooManyTrialsError: if that was not enough.
    """
    found: dict[int, Refusal] = {}
    waiting, trials = [rows] if rows else [], 0
    while waiting:
        part = waiting.pop()
        if trials == most_trials:
            raise TooManyTrialsError(found)
        trials += 1
        if refused := refusal(part[0], part[-1]):
            if len(part) == 1:
                found[part[0]] = refused
            else:
                waiting += [part[len(part) // 2 :], part[: len(part) // 2]]
    return found


@dataclass(frozen=True)
class Unwritable:
    """Finds the rows of a micro-batch that ``scored_clicks`` does not take.

    Attributes:
        spark: the session.
        layout: the columns of the tables.
        scored: ``scored_clicks``.
        checkpoint: of the stream; the copy of the table stands in it for a while.
        tell: tells a person.
    """

    spark: SparkSession
    layout: Layout
    scored: Table
    checkpoint: str
    tell: Callable[[str], None]

    def judge(self, outcomes: DataFrame, stamp: Stamp, error: Exception) -> DataFrame:
        """Return the outcomes, with a reason where the row of a click cannot be written.

        Args:
            outcomes: of the micro-batch, kept: they are read often, and must not be computed again.
            stamp: what all rows have in common.
            error: with which the rows could not be written.

        Raises:
            StreamError: if there are too many such rows to find.
            Exception: the error, if it is not for the rows that they cannot be written.
        """
        numbered = outcomes.withColumn(_ROW, F.monotonically_increasing_id())
        rows = sorted(row[0] for row in numbered.where(pipeline.IS_SCORED).select(_ROW).collect())
        with self._copy() as copy:

            def refusal(first: int, last: int) -> Refusal | None:
                part = numbered.where(F.col(_ROW).between(first, last))
                try:
                    copy.append(pipeline.scored(part, self.layout, stamp))
                except SPARK_ERRORS as failure:
                    if refused := row_refusal(failure):
                        return refused
                    raise
                return None

            try:
                found = find_refused(rows, refusal)
            except TooManyTrialsError as many:
                raise self._too_many(stamp.batch_id, len(rows), many.found) from error
        if not found:
            raise error
        example = next(iter(found.values())).words
        self.tell(
            f"batch {stamp.batch_id}: {self.scored.name} does not take {len(found):,} of {len(rows):,} clicks, and "
            f"they go to the rejected clicks: {example}"
        )
        frame = self.spark.createDataFrame(
            [(row, refused.words, refused.is_constraint) for row, refused in found.items()],
            f"{_ROW} BIGINT, {_REFUSAL} STRING, {_KIND} BOOLEAN",
        )
        joined = numbered.join(F.broadcast(frame), on=_ROW, how="left")
        reason = F.when(F.col(_KIND), F.lit(CONSTRAINT_VIOLATED)).otherwise(F.lit(UNWRITABLE))
        return pipeline.with_reason(joined, reason, F.col(_REFUSAL)).drop(_ROW, _REFUSAL, _KIND)

    @contextmanager
    def _copy(self) -> Iterator[Table]:
        copy = Table(f"{self.checkpoint}/{_FOLDER}/{uuid.uuid4()}")
        self.scored.delta(self.spark).clone(copy.location, isShallow=True)
        try:
            yield copy
        finally:
            remove(self.spark, copy.location)

    def _too_many(self, batch_id: int, rows: int, found: dict[int, Refusal]) -> StreamError:
        words = "; ".join(sorted({refused.words for refused in found.values()})[:3])
        return StreamError(
            f"batch {batch_id}: {self.scored.name} does not take many of the {rows:,} clicks; after {MOST_TRIALS} "
            f"trials, {len(found)} of those are found: {words}. Nothing of the micro-batch was written. Change the "
            f"table so that it takes them, for instance with ALTER TABLE {self.scored.sql_name} DROP CONSTRAINT ..., "
            f"and start again."
        )
