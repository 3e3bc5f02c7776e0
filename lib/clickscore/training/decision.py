"""Is it time to train a challenger? The evidence, and the decision, which is a pure function of it."""

from typing import NamedTuple

from clickscore.config.training import Retrain


class Evidence(NamedTuple):
    """What is known of the version that scores.

    Attributes:
        units: closed units with clicks that it has scored.
        seen: how many of them there were when it last got a challenger; 0 if it never did.
        calibration: how far its scores are from the shares of success, from 0 to 1; None if that cannot be told.
    """

    units: int
    seen: int = 0
    calibration: float | None = None

    @property
    def numbers(self) -> dict[str, float]:
        """What is known, by name."""
        return {name: float(value) for name, value in self._asdict().items() if value is not None}


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
        return Decision(False, f"{fresh:,} units have closed {since}; retrain.units waits for {bounds.units:,}")
    if evidence.calibration is None:
        return Decision(
            False, "the calibration error is unknown, as no score is a probability or the units are too few"
        )
    is_off = evidence.calibration > bounds.calibration
    return Decision(is_off, f"the calibration error is {evidence.calibration:.3f}, "
                            f"{'more than' if is_off else 'within'} {bounds.calibration:g}")  # fmt: skip
