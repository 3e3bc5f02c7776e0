"""The clicks of the last hours against the baseline of their model version: what has drifted, and what of it is new."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clickscore.config.drift import Drift
from clickscore.drift.baseline import Baseline
from clickscore.drift.measures import Movement, movements
from clickscore.scoring.histograms import Counts

PARTS = 100
"""Parts of the window, which leave it whole: a micro-batch comes every few seconds, and a window is long."""
MOST_NAMED = 5
"""Columns that a message names, those that have moved the most."""


@dataclass(frozen=True)
class Finding:
    """How far the clicks of the window are from the baseline.

    Attributes:
        movements: of the score and of each feature that is not ignored, by name.
        drifted: those that have reached the threshold, by name.
        news: what a person should be told; None if nothing has reached the threshold since the last finding.
    """

    movements: Mapping[str, Movement]
    drifted: tuple[str, ...]
    news: str | None


@dataclass
class DriftWindow:
    """Adds up the counts of micro-batches, each version's for itself: another model is not called drift.

    Attributes:
        config: the threshold, and the clicks that it is about.
    """

    config: Drift
    _of: tuple[str, str, str] | None = None
    _parts: dict[int, Counts] = field(default_factory=dict)
    _drifted: tuple[str, ...] = ()

    def add(self, model: tuple[str, str], baseline: Baseline, counts: Sequence[int], at_s: float) -> Finding | None:
        """Take a micro-batch into account.

        Args:
            model: name and version that have scored it; with another one, the window begins anew.
            baseline: of that version.
            counts: the clicks in each bin of the baseline.
            at_s: when it was finished, in seconds since 1970; a micro-batch never ends before the one before it.

        Returns:
            What the window shows; None while it has fewer clicks than the configuration asks for.
        """
        if self._of != (of := (*model, baseline.digest)):
            self._of, self._parts, self._drifted = of, {}, ()
        part = int(at_s * 1000 * PARTS / self.config.window_ms)
        self._parts = {number: each for number, each in self._parts.items() if part - PARTS < number}
        self._parts[part] = self._parts.get(part, 0) + np.asarray(counts, np.int64)
        return self._look(model, baseline, np.sum(list(self._parts.values()), axis=0))

    def to_json(self) -> str:
        """Return what a later run needs to go on, as JSON."""
        parts = {number: counts.tolist() for number, counts in self._parts.items()}
        return json.dumps(
            {"window_ms": self.config.window_ms, "of": self._of, "parts": parts, "drifted": self._drifted}
        )

    @classmethod
    def read(cls, config: Drift, text: str | None) -> "DriftWindow":
        """Return the window that an earlier run has left.

        It is empty where that is missing, cut off, or of another length.

        Args:
            config: the threshold, and the clicks that it is about.
            text: from ``to_json``.
        """
        try:
            tree = json.loads(text or "{}")
            if tree["window_ms"] != config.window_ms:
                return cls(config)
            name, version, digest = tree["of"]
            parts = {int(number): np.array(counts, np.int64) for number, counts in tree["parts"].items()}
            return cls(config, (name, version, digest), parts, tuple(tree["drifted"]))
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls(config)

    def _look(self, model: tuple[str, str], baseline: Baseline, counts: Counts) -> Finding | None:
        clicks = int(baseline.bins.split(counts)[0].sum())
        if clicks < self.config.minimum:
            return None
        found = {name: each for name, each in movements(baseline, counts).items() if name not in self.config.ignore}
        drifted = tuple(name for name, each in found.items() if each.psi >= self.config.psi)
        new = [name for name in drifted if name not in self._drifted]
        self._drifted = drifted
        return Finding(found, drifted, self._news(model, new, found, clicks) if new else None)

    def _news(self, model: tuple[str, str], new: list[str], found: Mapping[str, Movement], clicks: int) -> str:
        name, version = model
        new = sorted(new, key=lambda each: -found[each].psi)
        texts = [f"{each} (PSI {found[each].psi:.2f}, {found[each].cause})" for each in new[:MOST_NAMED]]
        more = f" and {len(new) - MOST_NAMED} more" if len(new) > MOST_NAMED else ""
        return (
            f"drift: {clicks:,} clicks differ from the baseline of {name} version {version}: {', '.join(texts)}{more}; "
            f"drift.psi is {self.config.psi:g}. Look for the cause in the report (jobs/report.py); where the clicks "
            f"have really changed, train again"
        )
