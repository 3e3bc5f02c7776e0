from pathlib import Path

import pytest

from clickscore.config.model import Model, split_uri
from clickscore.config.run import load
from clickscore.errors import ConfigError

LOCAL = Path("conf/local.yaml")


def model(*settings: str) -> Model:
    return load(LOCAL, [f"model.{setting}" for setting in settings]).model


def test_everything_but_uri_and_registry_has_a_default() -> None:
    found = model()
    assert found.picks == {"score": None}
    assert (found.poll_ms, found.time_limit_ms, found.failure_limit) == (3_000, 10_000, 0.01)
    assert (found.trust, found.challenger) == (None, None)


def test_outputs_name_columns_and_score_comes_first() -> None:
    assert model("outputs={leave: p_leave, score: 1}").picks == {"score": 1, "leave": "p_leave"}
    assert model("outputs={leave: 2}").picks == {"score": None, "leave": 2}


@pytest.mark.parametrize(("setting", "message"), [
    ("outputs={leave: -1}", "expected the name of an output, or its position from 0, found -1"),
    ("outputs={leave: 1.5}", "found 1.5"),
    ("poll=5 parsecs", 'model.poll: expected an interval such as "10 minutes"'),
    ("failure_limit=0", "model.failure_limit: input should be greater than 0"),
    ("trust=everything", "model.trust: input should be 'pickle'"),
    ("challenger=models:/x", "model.challenger: expected models:/<name>@<alias> or models:/<name>/<version>"),
    ("challenger=models:/click_propensity@champion", "is the champion itself"),
    ("allow={names: [click_propensty]}", "does not have click_propensity"),
    ("allow.flavours=[x]", "model.allow.flavours: unknown key; did you mean flavors?"),
    ("challengr=models:/x@y", "model.challengr: unknown key; did you mean challenger?"),
])  # fmt: skip
def test_wrong_value_is_told_with_its_place(setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        model(setting)
    assert message in str(caught.value)


def test_allow_list_names_the_challenger_too() -> None:
    names = "allow={names: [click_propensity]}"
    assert model(names).allow.names == ("click_propensity",)
    with pytest.raises(ConfigError, match=r"allow\.names does not have other"):
        model(names, "challenger=models:/other@challenger")


def test_uri_is_split_into_name_and_alias_or_version() -> None:
    assert split_uri("models:/m@champion") == ("m", "champion", None)
    assert split_uri("models:/m/3") == ("m", None, "3")
