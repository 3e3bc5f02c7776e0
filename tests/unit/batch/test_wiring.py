from pathlib import Path

from clickscore.batch.wiring import with_version
from clickscore.config.run import load

CONFIG = load(Path("conf/local.yaml"))


def test_version_or_alias_of_the_model_takes_the_place_of_that_of_the_configuration() -> None:
    assert with_version(CONFIG, None, None) == CONFIG
    assert with_version(CONFIG, 7, None).model.uri == "models:/click_propensity/7"
    assert with_version(CONFIG, None, "next").model.uri == "models:/click_propensity@next"
