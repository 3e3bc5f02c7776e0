"""How often a model fails, against how often it may."""

from dataclasses import dataclass

ALWAYS_ALLOWED = 10
"""Clicks that any model may fail on: of a few clicks, one poisonous one is always a large share."""


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
