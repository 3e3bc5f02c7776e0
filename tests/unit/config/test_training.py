from clickscore.config.training import Training


def test_model_is_trained_with_lightgbm_and_judged_on_the_last_quarter_unless_told_otherwise() -> None:
    training = Training.model_validate({"clicks": "history"})
    assert (training.algorithm, training.holdout) == ("lightgbm", 0.25)
