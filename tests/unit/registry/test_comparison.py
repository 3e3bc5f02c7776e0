import math

import numpy as np
import pytest

from clickscore.config.model import Gate
from clickscore.registry.comparison import (
    LEAST_VISITORS,
    Clicks,
    Evidence,
    Gain,
    compare,
    figures,
    judge,
    metrics,
    population_stability,
    rank_correlation,
)

SURE = Gain(0.70, 0.72, 0.02, 0.005, 0.035)
GOOD = Evidence(clicks=5_000, visitors=400, agreement=0.9, psi=0.05, auc=SURE, log_loss=SURE)


def clicks(champion: list[float], challenger: list[float], outcome: list[float]) -> Clicks:
    return Clicks(np.array(champion), np.array(challenger), np.arange(len(champion)), np.array(outcome))


def normal_clicks(gain: float, visitors: int = 400, each: int = 3) -> Clicks:
    """Scores of successes lie higher by one standard deviation with the champion, 1 + gain with the challenger."""
    rng = np.random.default_rng(7)
    outcome = rng.integers(0, 2, visitors * each) * 1.0
    noise = rng.normal(size=len(outcome))
    visitor = np.repeat(np.arange(visitors), each)
    return Clicks(outcome + noise, (1 + gain) * outcome + noise, visitor, outcome)


def area(distance: float) -> float:
    """Area under the ROC curve of two normal distributions that are so many standard deviations apart."""
    return 0.5 * (1 + math.erf(distance / 2))


def failing(evidence: Evidence, gate: Gate) -> list[str]:
    return [verdict.what for verdict in judge(evidence, gate) if verdict.holds is False]


def test_agreement_is_about_ranks_and_not_about_scores() -> None:
    assert rank_correlation(np.array([0.1, 0.2, 0.9]), np.array([-5.0, 0.0, 0.01])) == pytest.approx(1.0)
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == pytest.approx(-1.0)
    # Two places changed among four: 1 - 6 * (1 + 1) / (4 * 15).
    assert rank_correlation(np.arange(4.0), np.array([0.0, 2.0, 1.0, 3.0])) == pytest.approx(0.8)


def test_ties_share_their_rank() -> None:
    # Ranks 1.5, 1.5, 3 against 1, 2, 3.
    assert rank_correlation(np.array([0.5, 0.5, 0.9]), np.array([0.1, 0.2, 0.3])) == pytest.approx(math.sqrt(0.75))


def test_score_that_never_changes_agrees_with_nothing() -> None:
    evidence = compare(clicks([0.5, 0.5], [0.1, 0.2], [math.nan, math.nan]))
    assert math.isnan(evidence.agreement)
    assert "agreement" in failing(evidence, Gate(agreement=-1))


def test_stability_index_of_a_known_shift() -> None:
    champion = np.arange(100_000) / 100_000
    # Half of the highest tenth becomes lowest: shares of 15% and 5% where 10% were.
    challenger = np.where(champion >= 0.95, 0.0, champion)
    assert population_stability(champion, challenger) == pytest.approx(
        0.05 * math.log(1.5) - 0.05 * math.log(0.5), abs=1e-4
    )
    assert population_stability(champion, champion) == 0.0


def test_empty_tenth_makes_the_stability_index_large_but_finite() -> None:
    champion = np.arange(1_000) / 1_000
    # Nine tenths are empty. In each bin half a click is added: 1,000.5 and 0.5 of 1,005, where 100.5 were.
    expected = 900 / 1005 * math.log(1000.5 / 100.5) - 9 * 100 / 1005 * math.log(0.5 / 100.5)
    assert population_stability(champion, np.zeros(1_000)) == pytest.approx(expected)


def test_area_and_log_loss_of_a_few_clicks() -> None:
    evidence = compare(clicks([0.1, 0.4, 0.35, 0.8], [0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1]))
    assert evidence.auc
    assert evidence.log_loss
    # Of four pairs of a success and another, the champion has three right; equal scores count half.
    assert evidence.auc[:3] == pytest.approx((0.75, 0.5, -0.25))
    champion = -(math.log(0.9) + math.log(0.6) + math.log(0.35) + math.log(0.8)) / 4
    assert evidence.log_loss[:3] == pytest.approx((champion, math.log(2), champion - math.log(2)))


def test_interval_covers_a_known_gain() -> None:
    evidence = compare(normal_clicks(gain=0.5))
    assert evidence.auc
    assert evidence.auc.low < area(1.5) - area(1.0) < evidence.auc.high
    assert evidence.auc.high - evidence.auc.low < 0.05
    assert evidence.auc.low > 0


def test_interval_of_log_loss_is_about_its_fall() -> None:
    data = normal_clicks(gain=0.0)
    # A coin against the truth, by and large: from ln 2 to - ln 0.8.
    gain = compare(data._replace(champion=data.outcome * 0 + 0.5, challenger=0.2 + 0.6 * data.outcome)).log_loss
    assert gain
    assert gain.gain == pytest.approx(math.log(2) + math.log(0.8))
    assert gain.low == pytest.approx(gain.gain)
    assert gain.high == pytest.approx(gain.gain)


def test_interval_of_no_gain_has_zero_within() -> None:
    same = normal_clicks(gain=0.0)
    noise = np.random.default_rng(1).normal(0, 0.2, len(same.outcome))
    evidence = compare(same._replace(challenger=same.champion + noise))
    assert evidence.auc
    assert evidence.auc.low < 0 < evidence.auc.high


def width(data: Clicks, measure: str) -> float:
    gain = getattr(compare(data), measure)
    return float(gain.high - gain.low)


@pytest.mark.parametrize("measure", ["auc", "log_loss"])
def test_clicks_of_one_visitor_count_as_one_piece_of_evidence(measure: str) -> None:
    data = normal_clicks(gain=0.5, each=1)
    once = data._replace(champion=data.champion / 20 + 0.5, challenger=data.challenger / 20 + 0.5)
    often = Clicks(*(np.repeat(column, 25) for column in once))
    assert width(often, measure) == pytest.approx(width(once, measure))
    # Were they from 25 times as many visitors, they would say as much as those.
    strangers = often._replace(visitor=np.arange(len(often.visitor)))
    assert width(strangers, measure) == pytest.approx(width(once, measure) / 5, rel=0.15)


def test_the_same_clicks_in_another_order_are_the_same_evidence() -> None:
    data = normal_clicks(gain=0.1)
    order = np.random.default_rng(3).permutation(len(data.outcome))
    one, other = (metrics(compare(each)) for each in (data, Clicks(*(column[order] for column in data))))
    assert one == pytest.approx(other)


def test_few_visitors_of_an_outcome_have_no_interval() -> None:
    rare = normal_clicks(gain=3.0)
    successful = LEAST_VISITORS - 1
    evidence = compare(rare._replace(outcome=(rare.visitor < successful) * 1.0))
    assert evidence.auc
    assert evidence.auc[3:] == (-math.inf, math.inf)
    assert f"fewer than {LEAST_VISITORS} visitors" in judge(evidence, Gate())[3].found
    assert "auc_gain" in failing(evidence, Gate())
    assert np.isfinite(compare(rare._replace(outcome=(rare.visitor <= successful) * 1.0)).auc).all()


def test_unknown_outcomes_are_left_out() -> None:
    data = normal_clicks(gain=0.5)
    unknown = np.where(np.arange(len(data.outcome)) % 2 == 0, math.nan, data.outcome)
    half = Clicks(*(column[1::2] for column in data))
    assert compare(data._replace(outcome=unknown)).auc == pytest.approx(compare(half).auc)
    assert compare(data._replace(outcome=unknown)).clicks == len(data.outcome)


def test_one_outcome_only_does_not_pass_the_gate() -> None:
    data = normal_clicks(gain=0.5)
    evidence = compare(data._replace(outcome=np.zeros(len(data.outcome))))
    assert judge(evidence, Gate())[3].found == "all outcomes are alike"
    assert "auc_gain" in failing(evidence, Gate())
    assert "auc_gain" not in failing(evidence, Gate(auc_gain=-math.inf))
    assert "auc_gain" not in metrics(evidence)


def test_without_outcomes_two_criteria_are_not_applied() -> None:
    evidence = compare(normal_clicks(gain=0.5)._replace(outcome=np.full(1_200, math.nan)))
    verdicts = judge(evidence, Gate())
    assert [verdict.holds for verdict in verdicts] == [True, True, True, None, None]
    assert [verdict.found for verdict in verdicts[3:]] == ["unknown: no outcomes"] * 2


@pytest.mark.parametrize("shift", [-10.0, 10.0])
def test_log_loss_of_scores_that_are_no_probabilities_is_not_applied(shift: float) -> None:
    data = normal_clicks(gain=0.5)
    probable = data._replace(champion=data.champion / 20 + 0.5)
    verdict = judge(compare(probable._replace(challenger=data.challenger + shift)), Gate())[4]
    assert (verdict.what, verdict.found, verdict.holds) == (
        "log_loss_gain", "unknown: the scores are not probabilities", None,
    )  # fmt: skip


def test_no_click_at_all_fails_the_gate() -> None:
    nothing = np.array([])
    evidence = compare(Clicks(nothing, nothing, nothing.astype(int), nothing))
    assert failing(evidence, Gate()) == ["clicks", "agreement", "psi"]
    assert metrics(evidence) == {"clicks": 0, "visitors": 0}
    assert [verdict.found for verdict in judge(evidence, Gate())[:3]] == ["0", "unknown", "unknown"]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        (Gate(clicks=5_000, agreement=0.9, psi=0.05, auc_gain=0.005, log_loss_gain=0.005), []),
        (Gate(clicks=5_001), ["clicks"]),
        (Gate(agreement=0.91), ["agreement"]),
        (Gate(psi=0.049), ["psi"]),
        (Gate(auc_gain=0.006), ["auc_gain"]),
        (Gate(log_loss_gain=0.006), ["log_loss_gain"]),
    ],
)
def test_each_criterion_holds_to_its_limit_and_not_beyond(gate: Gate, expected: list[str]) -> None:
    assert failing(GOOD, gate) == expected


def test_verdicts_are_told_as_a_person_reads_them() -> None:
    texts = [verdict[:3] for verdict in judge(GOOD, Gate())]
    assert texts == [
        ("clicks", "5,000", "at least 1,000"),
        ("agreement", "0.9000", "at least 0.5"),
        ("psi", "0.0500", "at most 0.25"),
        ("auc_gain", "+0.0200 (0.7000 to 0.7200), 95% +0.0050 to +0.0350", "lower end at least -0.01"),
        ("log_loss_gain", "+0.0200 (0.7000 to 0.7200), 95% +0.0050 to +0.0350", "lower end at least -0.01"),
    ]


def test_metrics_have_a_name_for_each_number() -> None:
    assert metrics(GOOD) == {
        "clicks": 5_000, "visitors": 400, "agreement": 0.9, "psi": 0.05,
        "auc_champion": 0.70, "auc_challenger": 0.72, "auc_gain": 0.02, "auc_low": 0.005, "auc_high": 0.035,
        "log_loss_champion": 0.70, "log_loss_challenger": 0.72, "log_loss_gain": 0.02, "log_loss_low": 0.005,
        "log_loss_high": 0.035,
    }  # fmt: skip


def test_figures_are_named_by_their_files() -> None:
    data = normal_clicks(gain=0.5)
    drawn = figures(data)
    assert sorted(drawn) == ["distribution.png", "roc.png", "scores.png"]
    evidence = compare(data)
    assert evidence.auc
    assert drawn["distribution.png"].axes[0].get_title() == f"Score shift, PSI {evidence.psi:.3f}"
    labels = [text.get_text() for text in drawn["roc.png"].axes[0].get_legend().get_texts()]
    assert labels == [f"champion, area {evidence.auc.champion:.3f}", f"challenger, area {evidence.auc.challenger:.3f}"]
    assert sorted(figures(data._replace(outcome=np.zeros(len(data.outcome))))) == ["distribution.png", "scores.png"]
