"""The offset log of a stream: when each micro-batch was planned, and where in its source it was planned to end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.errors import CheckpointError
from clickscore.storage.checkpoint import Checkpoint


@dataclass(frozen=True)
class Planned:
    """A micro-batch as it was planned.

    Attributes:
        planned_ms: when, in milliseconds since 1970.
        end: where it ends, in the words of the source.
    """

    planned_ms: int
    end: Any


@dataclass(frozen=True)
class Range:
    """Micro-batches that are looked at, both ends included.

    Attributes:
        first: the first one.
        last: the last one, which is done.
        log: plans of those whose plan is still there; Spark forgets the older ones.
    """

    first: int
    last: int
    log: Mapping[int, Planned]

    @property
    def floor(self) -> int:
        """The first micro-batch whose own plan is known; what is older can only be told apart up to there."""
        return min((batch for batch in self.log if batch >= self.first), default=self.last)

    def begin(self, start: Any) -> Any:
        """Return where the range begins: where the micro-batch before it ended, or at the start of the stream."""
        return self.log[self.first - 1].end if self.first else start


def read_offset_log(spark: SparkSession, path: str) -> dict[int, Planned]:
    """Read the plans of the micro-batches that the checkpoint still remembers."""
    # The stream removes old entries while it runs.
    reader = spark.read.option("ignoreMissingFiles", "true")
    entries = reader.text(f"{path}/offsets", wholetext=True).select("value", F.input_file_name())
    log = {}
    for value, file in entries.collect():
        # A version comes first, then metadata; the offsets of our only source are the last line.
        lines = value.splitlines()
        if len(lines) > 1 and (name := PurePosixPath(file).name).isdecimal():
            log[int(name)] = Planned(json.loads(lines[1])["batchTimestampMs"], json.loads(lines[-1]))
    return log


def find_range(
    checkpoint: Checkpoint, log: Mapping[int, Planned], first: int | None, last: int | None, earliest: int = 0
) -> Range:
    """Return the micro-batches to look at.

    Args:
        checkpoint: the stream.
        log: the plans that are known.
        first: the first one that was asked for; None is the first that can be proven.
        last: the last one that was asked for; None is the last that is done.
        earliest: first micro-batch that can be proven, as far as the source is concerned.

    Raises:
        CheckpointError: if the checkpoint does not say, or no longer says, what they were to read.
    """
    first, last = earliest if first is None else first, checkpoint.last_done if last is None else last
    if not 0 <= first <= last <= checkpoint.last_done:
        raise CheckpointError(
            f"there are no micro-batches {first} to {last} to look at: {checkpoint.path} says that 0 to "
            f"{checkpoint.last_done} are done."
        )
    known = sorted(batch for batch in log if batch <= checkpoint.last_done)
    if not known or first < earliest or (first and first - 1 not in log) or last not in log:
        begin = max(earliest, known[0] + 1) if known else None
        raise CheckpointError(
            f"{checkpoint.path} no longer says what micro-batches {first} to {last} were to read: Spark keeps the "
            f"plans of the last hundred or so. Leave --from-batch out, or begin at {begin} or later."
        )
    return Range(first, last, {batch: plan for batch, plan in log.items() if first - 1 <= batch <= last})
