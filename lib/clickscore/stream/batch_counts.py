"""The counts of one pass over a micro-batch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Row

from clickscore.reasons import SCORING_FAILED
from clickscore.sources.unreadable_files import UnreadableFileError


@dataclass(frozen=True)
class BatchCounts:
    """What a pass over a micro-batch has counted; see ``pipeline.census``.

    ``files`` are the files that were rejected as a whole, which no pass can count.
    """

    read: int
    duplicates: int
    rejected: int
    failed: int
    newest: int | None
    arrived: int | None
    sources: Sequence[str]
    listed: Sequence[Row]
    challenged: int = 0
    challenger_failed: int = 0
    challenger_failure: str | None = None
    files: Sequence[UnreadableFileError] = ()

    @classmethod
    def of(cls, counted: Mapping[str, Any]) -> "BatchCounts":
        """Return what the aggregates have found; Spark has no empty list of the least."""
        return cls(**{**counted, "listed": counted["listed"] or ()})

    @property
    def scored(self) -> int:
        """Clicks that got a score."""
        return self.read - self.duplicates - self.rejected

    @property
    def cause(self) -> str | None:
        """The commonest reason and detail of the records that came along; of those that the model failed on, if any."""
        causes = [(row.reason, row.detail) for row in self.listed]
        failures = [cause for cause in causes if cause[0] == SCORING_FAILED]
        if not causes:
            return None
        [((reason, detail), _)] = Counter(failures or causes).most_common(1)
        return f"{reason}: {detail}" if detail else str(reason)

    @property
    def asked(self) -> int:
        """Clicks that the model was asked about."""
        return self.scored + self.failed

    @property
    def has_all_rejected(self) -> bool:
        """Whether all rejected records have come along."""
        return len(self.listed) == self.rejected
