from pathlib import Path

import pytest

from clickscore.config.run import load
from clickscore.errors import ConfigError
from clickscore.training.retraining import challenger_alias, settings

LOCAL = Path("conf/local.yaml")


@pytest.mark.parametrize(
    ("challenger", "alias"),
    [
        ("null", "challenger"),
        ("models:/click_propensity@next", "next"),
        ("models:/click_propensity/7", "challenger"),
        ("models:/another@next", "challenger"),
    ],
)
def test_challenger_gets_the_alias_that_the_stream_looks_at(challenger: str, alias: str) -> None:
    assert challenger_alias(load(LOCAL, [f"model.challenger={challenger}"])) == alias


def test_section_that_says_how_to_train_is_missed() -> None:
    assert settings(load(LOCAL)).algorithm == "lightgbm"
    with pytest.raises(ConfigError, match="training: missing; it says how a model is trained"):
        settings(load(LOCAL, ["training=null"]))
