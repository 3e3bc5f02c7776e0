"""The counts of one pass over a micro-batch."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Row

from clickscore.monitoring.report import Scores
from clickscore.reasons import SCORING_FAILED, UNREADABLE_FILE
from clickscore.scoring.histograms import added
from clickscore.sources.unreadable_files import UnreadableFileError


@dataclass(frozen=True)
class BatchCounts:
    """What a pass over a micro-batch has counted; see ``pipeline.census``.

    ``files`` are the files that were rejected as a whole, which no pass can count; ``reasons`` are the rejected records
    by reason, where more were rejected than are listed.
    """

    read: int
    duplicates: int
    rejected: int
    failed: int
    newest: int | None
    arrived: int | None
    sources: Sequence[str]
    listed: Sequence[Row]
    sampled: Sequence[bytes] = ()
    counts: Sequence[bytes] = ()
    challenged: int = 0
    challenger_failed: int = 0
    challenger_failure: str | None = None
    mean: float | None = None
    quantiles: Sequence[float] | None = None
    files: Sequence[UnreadableFileError] = ()
    reasons: Mapping[str, int] | None = None

    @classmethod
    def of(cls, counted: Mapping[str, Any]) -> "BatchCounts":
        """Return what the aggregates have found; Spark has no empty list of the least."""
        return cls(**{**counted, **{name: counted.get(name) or () for name in ("listed", "sampled", "counts")}})

    @property
    def scored(self) -> int:
        """Clicks that got a score."""
        return self.read - self.duplicates - self.rejected

    @property
    def cause(self) -> str | None:
        """The commonest reason and detail of the records that came along; of those that the model failed on, if any."""
        common = self._commonest
        if not common:
            return None
        return f"{common.reason}: {common.detail}" if common.detail else str(common.reason)

    @property
    def example(self) -> bytes | None:
        """A record that was rejected for that cause."""
        common = self._commonest
        return None if not common or common.value is None else bytes(common.value)

    @property
    def _commonest(self) -> Row | None:
        """A record of the commonest reason, or of those that the model failed on; of these, of the commonest detail."""
        rows = [row for row in self.listed if row.reason == SCORING_FAILED] or self.listed
        for part in ("reason", "detail"):
            counts = Counter(row[part] for row in rows)
            rows = [row for row in rows if row[part] == counts.most_common(1)[0][0]]
        return rows[0] if rows else None

    @property
    def by_reason(self) -> Mapping[str, int]:
        """Rejected records and files by reason."""
        found = Counter(row.reason for row in self.listed) if self.reasons is None else Counter(self.reasons)
        if self.files:
            found[UNREADABLE_FILE] += len(self.files)
        return found

    @property
    def scores(self) -> Scores | None:
        """Mean and quantiles of the scores; None without a scored click."""
        return None if self.mean is None or self.quantiles is None else (self.mean, self.quantiles)

    @property
    def binned(self) -> tuple[int, ...] | None:
        """The scored clicks in each bin of the champion's baseline; None if it has none, or no click was scored."""
        found = added(self.counts)
        return None if found is None else tuple(found.tolist())

    @property
    def asked(self) -> int:
        """Clicks that the model was asked about."""
        return self.scored + self.failed

    @property
    def has_all_rejected(self) -> bool:
        """Whether all rejected records have come along."""
        return len(self.listed) == self.rejected
