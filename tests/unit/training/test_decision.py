import pytest

from clickscore.config.training import Retrain
from clickscore.training.decision import Evidence, decide

BOUNDS = Retrain(units=1_000, calibration=0.15)


def test_challenger_is_trained_where_the_scores_do_not_come_true() -> None:
    reason = "the calibration error is 0.160, more than 0.15"
    assert decide(Evidence(1_000, calibration=0.16), BOUNDS) == (True, reason)
    assert decide(Evidence(3_000, 2_000, 0.16), BOUNDS) == (True, reason)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(999, calibration=0.5), "999 units have closed with clicks that it has scored"),
        (Evidence(2_999, 2_000, 0.5), "999 units have closed since it got a challenger"),
        (Evidence(1_900, 2_000, 0.5), "0 units have closed since it got a challenger"),
    ],
)
def test_no_challenger_is_trained_before_enough_units_have_closed(evidence: Evidence, reason: str) -> None:
    assert decide(evidence, BOUNDS) == (False, f"{reason}; retrain.units waits for 1,000")


@pytest.mark.parametrize(
    ("calibration", "reason"),
    [(0.15, "the calibration error is 0.150, within 0.15"), (None, "the calibration error is unknown, as no score")],
)
def test_no_challenger_is_trained_where_the_scores_come_true_or_nobody_knows(
    calibration: float | None, reason: str
) -> None:
    decision = decide(Evidence(5_000, calibration=calibration), BOUNDS)
    assert not decision.trains
    assert decision.reason.startswith(reason)


def test_challenger_is_trained_whatever_the_evidence_where_somebody_asks_for_it() -> None:
    assert decide(Evidence(0), BOUNDS, now=True) == (True, "it was asked for")


def test_evidence_is_written_down_as_far_as_it_is_known() -> None:
    assert Evidence(2_000, 500, 0.01).numbers == {"units": 2_000.0, "seen": 500.0, "calibration": 0.01}
