import pytest
from pydantic import ValidationError

from clickscore.config.training import Retrain, Training


def test_model_is_trained_with_lightgbm_and_judged_on_the_last_quarter_unless_told_otherwise() -> None:
    training = Training.model_validate({"clicks": "history"})
    assert (training.algorithm, training.holdout) == ("lightgbm", 0.25)


@pytest.mark.parametrize("keys", [{"units": 0}, {"weeks": 0}, {"calibration": 1.0}, {"days": 3}])
def test_bound_that_cannot_be_met_is_refused(keys: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Retrain.model_validate(keys)
