import pytest

from clickscore.config.training import Retrain
from clickscore.training.decision import Evidence, decide

BOUNDS = Retrain(units=1_000, calibration=0.15)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(1_000, calibration=0.16), "the calibration error is 0.160, more than 0.15"),
        (Evidence(3_000, 2_000, 0.16, ()), "the calibration error is 0.160, more than 0.15"),
        (Evidence(1_000, drifted=("score", "price")), "drift of score, price"),
        (Evidence(1_000, 0, 0.01, tuple("abcdefg")), "drift of a, b, c, d, e and 2 more"),
        (Evidence(1_000, 0, 0.2, ("a",)), "the calibration error is 0.200, more than 0.15; drift of a"),
    ],
)
def test_challenger_is_trained_where_scores_do_not_come_true_or_something_has_drifted(
    evidence: Evidence, reason: str
) -> None:
    assert decide(evidence, BOUNDS) == (True, reason)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (Evidence(999, calibration=0.5, drifted=("a",)), "999 units have closed with clicks that it has scored"),
        (Evidence(2_999, 2_000, 0.5), "999 units have closed since it got a challenger"),
        (Evidence(1_900, 2_000, 0.5), "0 units have closed since it got a challenger"),
    ],
)
def test_no_challenger_is_trained_before_enough_units_have_closed(evidence: Evidence, reason: str) -> None:
    assert decide(evidence, BOUNDS) == (False, f"{reason}; retrain.units waits for 1,000")


def test_no_challenger_is_trained_where_the_scores_come_true_or_nobody_knows() -> None:
    reason = "the calibration error is 0.150, within 0.15; no drift"
    assert decide(Evidence(5_000, 0, 0.15, ()), BOUNDS) == (False, reason)
    decision = decide(Evidence(5_000), BOUNDS)
    assert not decision.trains
    assert "the calibration error is unknown" in decision.reason
    assert "drift is unknown" in decision.reason


def test_challenger_is_trained_whatever_the_evidence_where_somebody_asks_for_it() -> None:
    assert decide(Evidence(0), BOUNDS, now=True) == (True, "it was asked for")


def test_evidence_is_written_down_as_far_as_it_is_known() -> None:
    assert Evidence(2_000, 500, 0.01).numbers == {"units": 2_000.0, "seen": 500.0, "calibration": 0.01}
    assert Evidence(2_000, drifted=("score",)).numbers == {"units": 2_000.0, "seen": 0.0, "drifted": 1.0}
