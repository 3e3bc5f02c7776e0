from clickscore.config.model import Model
from clickscore.stream.silence import longest_silence_s

URI, OTHER = "models:/shop@champion", "models:/shop@challenger"


def model(**more: object) -> Model:
    return Model.model_validate({"uri": URI, "registry": "sqlite:///mlflow.db", **more})


def test_worker_may_load_the_model_and_lose_all_its_time_limits_to_clicks_that_hang() -> None:
    # 120 s to load, 20 time limits for clicks that hang, and a last call that takes three to be ended.
    assert longest_silence_s(model(time_limit="10 seconds")) == 120 + 23 * 10
    assert longest_silence_s(model(time_limit="500 milliseconds")) == 132


def test_challenger_is_loaded_as_well_and_given_up_at_its_first_hang() -> None:
    both = model(time_limit="10 seconds", challenger=OTHER, challenger_time_limit="2 seconds")
    assert longest_silence_s(both) == 2 * 120 + 23 * 10 + 3 * 2
