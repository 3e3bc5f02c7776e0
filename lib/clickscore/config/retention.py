"""For how long the tables keep their rows, and what would be too short."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from clickscore.config.deduplicate import Deduplicate
from clickscore.config.fields import Milliseconds, Section, interval_text
from clickscore.config.outcome import Outcome


class Retention(Section):
    """For how long rows are kept; ``jobs/maintain_tables.py`` removes those that are older. Left out, for good.

    Example::

        retention: {scored: 400 days, rejected: 90 days, outcomes: 400 days}

    Attributes:
        scored_ms: rows of ``scored_clicks``, from the time of the click on.
        rejected_ms: rows of ``rejected_clicks``, from ``received_at`` on; not those of whole files, which have no
            record in them.
        outcomes_ms: rows of ``outcomes``, from ``until`` on; at least as long as ``scored``.
    """

    scored_ms: Annotated[Milliseconds | None, Field(alias="scored")] = None
    rejected_ms: Annotated[Milliseconds | None, Field(alias="rejected")] = None
    outcomes_ms: Annotated[Milliseconds | None, Field(alias="outcomes")] = None

    @model_validator(mode="after")
    def _fits_together(self) -> "Retention":
        if not self.intervals:
            raise ValueError('expected one of scored, rejected and outcomes, such as scored: "400 days"')
        if self.outcomes_ms and (self.scored_ms is None or self.outcomes_ms < self.scored_ms):
            found = interval_text(self.scored_ms) if self.scored_ms else "no limit"
            raise ValueError(
                f"outcomes: expected scored, and at least as long as that, found {interval_text(self.outcomes_ms)} "
                f"with scored: {found}; jobs/join_outcomes.py would make the rows anew from the clicks that are there"
            )
        return self

    @property
    def intervals(self) -> dict[str, int]:
        """Milliseconds by key, of those that are limited."""
        found = {"scored": self.scored_ms, "rejected": self.rejected_ms, "outcomes": self.outcomes_ms}
        return {key: kept for key, kept in found.items() if kept is not None}

    def too_short(self, deduplicate: Deduplicate | None, outcome: Outcome | None) -> Iterator[str]:
        """Yield why rows would go while others still need them, one sentence each.

        Args:
            deduplicate: of the run.
            outcome: of the run.
        """
        followed_ms = (outcome.window_ms or outcome.silence_ms) if outcome else None
        for key, kept in self.intervals.items():
            if deduplicate and kept <= deduplicate.window_ms:
                yield _refused(key, kept, "deduplicate.window", deduplicate.window_ms,
                               "the audit tells a copy of a click by the row of that click")  # fmt: skip
            if followed_ms and key != "rejected" and kept <= followed_ms:
                yield _refused(key, kept, "outcome", followed_ms,
                               "jobs/join_outcomes.py follows a unit by the rows of its clicks")  # fmt: skip


def _refused(key: str, kept_ms: int, other: str, needed_ms: int, why: str) -> str:
    expected = f"retention.{key}: expected more than the {interval_text(needed_ms)} of {other}"
    return f"{expected}, found {interval_text(kept_ms)}; {why}"
