"""The report of a micro-batch, made of what its pass has counted and of how long its phases took."""

from collections.abc import Mapping
from time import monotonic

from pyspark.sql import Column, DataFrame

from clickscore.monitoring.report import Report
from clickscore.registry.version import ModelVersion
from clickscore.stream.batch_counts import BatchCounts

CHOOSE_MODEL, SCORE, REJECT = "choose_model", "score", "reject"
"""Phases: which versions score; all records are read and scored, and the clicks committed; the rest is rejected."""


class Phases:
    """How long the phases of a micro-batch take; the first one begins with this.

    Attributes:
        seconds: of each phase that has ended.
    """

    def __init__(self) -> None:
        """Begin."""
        self.seconds: dict[str, float] = {}
        self._began = self._at = monotonic()

    def end(self, phase: str) -> None:
        """End a phase; the next one begins."""
        now = monotonic()
        self.seconds[phase], self._at = now - self._at, now

    @property
    def total_s(self) -> float:
        """Seconds since the first one began."""
        return monotonic() - self._began


def count_reasons(records: DataFrame, reason: Column) -> Mapping[str, int]:
    """Count records by their reason, in a pass over them."""
    return {row[0]: row[1] for row in records.groupBy(reason).count().collect()}


def report_of(
    batch_id: int, counts: BatchCounts, champion: ModelVersion, challenger: ModelVersion | None, phases: Phases,
    has_duplicates: bool,
) -> Report:  # fmt: skip
    """Return the report of a micro-batch whose rows are committed.

    Args:
        batch_id: the micro-batch.
        counts: of its records.
        champion: has scored it.
        challenger: has scored some clicks as well.
        phases: of it.
        has_duplicates: whether the stream looks for duplicates.
    """
    return Report(
        batch_id=batch_id,
        read=counts.read + len(counts.files),
        scored=counts.scored,
        rejected=counts.rejected + len(counts.files),
        duplicates=counts.duplicates if has_duplicates else None,
        sources=len(counts.sources) + len(counts.files),
        seconds=phases.total_s,
        newest_us=counts.newest,
        arrived_us=counts.arrived,
        model_name=champion.name,
        model_version=champion.version,
        failed=counts.failed,
        cause=counts.cause,
        example=counts.example,
        sampled=counts.sampled,
        by_reason=counts.by_reason,
        phases=phases.seconds,
        challenger_version=challenger.version if challenger and counts.challenged else None,
        scores=counts.scores,
        baseline=champion.baseline,
        binned=counts.binned,
    )
