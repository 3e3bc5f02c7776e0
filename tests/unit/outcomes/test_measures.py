import numpy as np
import pytest
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from clickscore.outcomes.measures import (
    Clicks,
    Estimate,
    area_under_roc,
    calibration,
    calibration_error,
    deciles,
    log_loss,
    success_share,
)


def clicks(*rows: tuple[float, float, int]) -> Clicks:
    score, success, unit = zip(*rows, strict=True)
    return Clicks(np.array(score, float), np.array(success, float), np.array(unit))


def sample(units: int, each: int, seed: int = 1) -> Clicks:
    """Return clicks of units that succeed as their scores say; all clicks of a unit have nearly one score."""
    rng = np.random.default_rng(seed)
    chance = rng.uniform(0.1, 0.9, units)
    success = (rng.random(units) < chance).astype(float)
    score = np.clip(np.repeat(chance, each) + rng.normal(0, 0.01, units * each), 0, 1)
    return Clicks(score, np.repeat(success, each), np.repeat(np.arange(units), each))


def test_area_and_loss_are_those_of_scikit_learn() -> None:
    found = sample(500, 3)
    rounded = found._replace(score=found.score.round(1))  # with ties
    area, loss = area_under_roc(rounded), log_loss(found)
    assert area and loss
    assert area.value == pytest.approx(roc_auc_score(rounded.success, rounded.score))
    assert loss.value == pytest.approx(sklearn_log_loss(found.success, found.score))


@pytest.mark.parametrize("each", [1, 5])
def test_intervals_hold_the_truth_in_about_95_of_100_samples(each: int) -> None:
    samples = [sample(300, each, seed) for seed in range(300)]
    for measure in (area_under_roc, log_loss, success_share):
        found = [measure(one) for one in samples]
        truth = np.mean([one.value for one in found if one])
        held = np.mean([one.low <= truth <= one.high for one in found if one])
        assert 0.92 <= held <= 0.98, (measure.__name__, held)


def test_five_clicks_of_a_unit_say_no_more_than_one() -> None:
    one, five = sample(300, 1), sample(300, 5)
    for measure in (area_under_roc, log_loss, success_share):
        widths = [found.high - found.low for found in (measure(one), measure(five)) if found]
        assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_few_units_have_a_value_and_no_interval() -> None:
    few = sample(29, 2)
    for found in (area_under_roc(few), log_loss(few), success_share(few)):
        assert found
        assert np.isfinite(found.value)
        assert np.isnan([found.low, found.high]).all()


def test_area_needs_both_outcomes_and_the_loss_probabilities() -> None:
    assert area_under_roc(clicks((0.1, 1, 1), (0.2, 1, 2))) is None
    assert area_under_roc(clicks((0.1, 0, 1), (0.2, 1, 2))) == pytest.approx((1.0, np.nan, np.nan), nan_ok=True)
    assert log_loss(clicks((1.5, 1, 1))) is None
    assert log_loss(clicks((0.0, 1, 1))) == pytest.approx((-np.log(1e-15), np.nan, np.nan), nan_ok=True)
    nothing = Clicks(np.empty(0), np.empty(0), np.empty(0, np.int64))
    assert area_under_roc(nothing) is log_loss(nothing) is None
    assert np.isnan(success_share(nothing)).all()
    assert calibration(nothing) == deciles(nothing) == []


def test_share_without_a_success_has_an_interval_with_a_width() -> None:
    none = success_share(clicks(*((0.1, 0, unit) for unit in range(100))))
    assert none == pytest.approx(Estimate(0, 0, 0.037), abs=0.001)


def test_calibration_has_bins_of_equal_width_and_leaves_out_what_is_no_probability() -> None:
    found = calibration(clicks((0.05, 0, 1), (0.09, 1, 2), (0.55, 1, 3), (1.0, 1, 4), (1.5, 1, 5), (-0.1, 0, 6)))
    assert [(one.clicks, round(one.score, 3), one.success.value) for one in found] == [
        (2, 0.07, 0.5), (1, 0.55, 1.0), (1, 1.0, 1.0),
    ]  # fmt: skip


def test_calibration_error_is_what_scores_are_off_beyond_chance() -> None:
    right = sample(3_000, 2)
    assert calibration_error(right) == pytest.approx(0, abs=0.005)
    for part in (0.5, 0.1):  # whether half of the units succeed, or a tenth
        rare = right._replace(score=right.score * part * 2, success=right.success * (right.unit % 100 < 200 * part))
        assert calibration_error(rare) == pytest.approx(0, abs=0.02)
        too_low = calibration_error(rare._replace(score=rare.score / 2))
        assert too_low is not None
        assert 0.3 < too_low < 0.5  # half, less half the width of the intervals


def test_calibration_error_of_a_few_units_is_unknown_and_bins_of_a_few_do_not_count() -> None:
    many = [(0.05, unit % 20 == 0, unit) for unit in range(2_000)]
    assert calibration_error(clicks(*many)) == 0.0
    assert calibration_error(clicks(*many, *((0.95, 0, 9_000 + unit) for unit in range(20)))) == 0.0
    assert calibration_error(clicks(*((0.95, 0, unit) for unit in range(20)))) is None
    assert calibration_error(clicks(*((0.0, 0, unit) for unit in range(100)))) == 0.0
    assert calibration_error(clicks(*((1.0, 0, unit) for unit in range(1_000)))) == pytest.approx(1, abs=0.01)


def test_deciles_begin_with_the_highest_scores_and_do_not_part_equal_ones() -> None:
    found = deciles(clicks(*((number / 20, number >= 18, number) for number in range(20))))
    assert [one.clicks for one in found] == [2] * 10
    assert [one.success.value for one in found] == [1.0] + [0.0] * 9
    assert [one.clicks for one in deciles(clicks((0.5, 1, 1), (0.5, 0, 2), (0.7, 1, 3)))] == [1, 2]
