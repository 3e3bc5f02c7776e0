"""A micro-batch at which run after run ends: counted over the starts, and told in one message in the end."""

import json
from dataclasses import dataclass

from pyspark.sql import SparkSession

from clickscore.config.source import Source
from clickscore.errors import StreamError
from clickscore.sources.kinds import kind_of
from clickscore.sources.records import BatchPlan
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.files import read_text, write_text

LOOP = 3
"""Runs in a row that did not finish the same micro-batch, until that counts as a loop: two may be an accident."""

FILE = "clickscore-attempts"
"""File of the checkpoint with the count."""


@dataclass(frozen=True)
class Interrupted:
    """The micro-batch that so many runs have begun and not finished that the next one would be a loop.

    Attributes:
        batch_id: the micro-batch.
        runs: how many runs in a row that were.
        plan: what it was made of.
    """

    batch_id: int
    runs: int
    plan: BatchPlan

    @property
    def warning(self) -> str | None:
        """What a person should know before another run tries, if it is a loop."""
        if self.runs < LOOP:
            return None
        return (
            f"batch {self.batch_id} was begun by {self.runs} runs in a row, and none of them has finished it; it holds "
            f"{self.plan.what}. If this run ends like that too: {self.plan.way_past}; or start over with a new "
            f"checkpoint and new tables"
        )

    def explain(self, cause: str) -> StreamError:
        """Return what to say instead of the failure of one more run."""
        return StreamError(
            f"batch {self.batch_id} has failed in {self.runs + 1} runs in a row, and one more start will not help: "
            f"{cause}\n"
            f"It holds {self.plan.what}. Nothing is lost: no record after it is read until it is done.\n"
            f"  - Fix what the message names, and start again; or\n"
            f"  - {self.plan.way_past}; or\n"
            f"  - start over with a new checkpoint and new tables."
        )


def note_start(spark: SparkSession, source: Source, checkpoint: Checkpoint) -> Interrupted | None:
    """Count one more run that finds a micro-batch begun and not finished; return it, if this run may be the third.

    The count is of the micro-batch: it begins anew as soon as another one is the interrupted one.
    """
    batch_id, file = checkpoint.last_planned, f"{checkpoint.path}/{FILE}"
    if batch_id <= checkpoint.last_done:
        return None
    runs = 1 + _count(read_text(spark, file) or "", batch_id)
    write_text(spark, file, json.dumps({"batch": batch_id, "runs": runs}))
    if runs + 1 < LOOP:
        return None
    plan = kind_of(source).plan_of(spark, source, checkpoint.path, batch_id)
    return Interrupted(batch_id, runs, plan)


def _count(noted: str, batch_id: int) -> int:
    """Return how many runs are noted for a micro-batch; none by a file that was cut off in the middle."""
    try:
        count = json.loads(noted)
        return int(count["runs"]) if count["batch"] == batch_id else 0
    except (ValueError, KeyError, TypeError):
        return 0
