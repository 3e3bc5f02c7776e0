"""The micro-batches of an audit: those that are committed, as far back as their plans exist."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clickscore.errors import CheckpointError
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.offset_log import Planned


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
            f"{checkpoint.last_done} are done. Choose --from-batch and --to-batch within these."
        )
    known = sorted(batch for batch in log if batch <= checkpoint.last_done)
    if not known or first < earliest or (first and first - 1 not in log) or last not in log:
        remedy = "Restore the folder offsets of the checkpoint, or start again after the next micro-batch"
        if known:
            begin = max(earliest, known[0] + 1)
            remedy = f"Leave --from-batch and --to-batch out, or choose them from {begin} to {known[-1]}"
        raise CheckpointError(
            f"{checkpoint.path} no longer says what micro-batches {first} to {last} were to read: Spark keeps the "
            f"plans of the last hundred or so. {remedy}."
        )
    return Range(first, last, {batch: plan for batch, plan in log.items() if first - 1 <= batch <= last})
