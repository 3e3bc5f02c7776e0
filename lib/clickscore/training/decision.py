"""Is it time to train a challenger? The evidence, and the decision, which is a pure function of it."""

from typing import NamedTuple

from clickscore.config.training import Retrain
from clickscore.console import counted

MOST_NAMED = 5
"""Names of what has drifted that a reason has."""


class Evidence(NamedTuple):
    """What is known of the version that scores.

    Attributes:
        units: closed units with clicks that it has scored.
        seen: how many of them there were when it last got a challenger; 0 if it never did.
        calibration: how far its scores are from the shares of success, from 0 to 1; None if that cannot be told.
        drifted: scores and features that the stream has found to have drifted; None if it has not looked.
    """

    units: int
    seen: int = 0
    calibration: float | None = None
    drifted: tuple[str, ...] | None = None

    @property
    def numbers(self) -> dict[str, float]:
        """What is known, by name; of the drift, how many have drifted."""
        drifted = None if self.drifted is None else len(self.drifted)
        found = {**self._asdict(), "drifted": drifted}
        return {name: float(value) for name, value in found.items() if value is not None}


class Decision(NamedTuple):
    """Whether a challenger is trained, and why."""

    trains: bool
    reason: str


def decide(evidence: Evidence, bounds: Retrain, now: bool = False) -> Decision:
    """Return whether to train a challenger.

    Args:
        evidence: what is known of the version that scores.
        bounds: from when on there is a reason.
        now: somebody has asked for it, so no other reason is needed.
    """
    if now:
        return Decision(True, "it was asked for")
    if (fresh := max(evidence.units - evidence.seen, 0)) < bounds.units:
        since = "since it got a challenger" if evidence.seen else "with clicks that it has scored"
        closed = counted(fresh, "unit has closed", "units have closed")
        return Decision(False, f"{closed} {since}; retrain.units waits for {bounds.units:,}")
    reasons = [_calibration(evidence.calibration, bounds.calibration), _drift(evidence.drifted)]
    good = [why for is_good, why in reasons if is_good]
    return Decision(bool(good), "; ".join(good or [why for _, why in reasons]))


def _calibration(found: float | None, bound: float) -> tuple[bool, str]:
    if found is None:
        return False, "the calibration error is unknown, as no score is a probability or the units are too few"
    is_off = found > bound
    return is_off, f"the calibration error is {found:.3f}, {'more than' if is_off else 'within'} {bound:g}"


def _drift(found: tuple[str, ...] | None) -> tuple[bool, str]:
    if found is None:
        return False, "drift is unknown"
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return bool(found), f"drift of {', '.join(found[:MOST_NAMED])}{more}" if found else "no drift"
