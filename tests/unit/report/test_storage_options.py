import pytest

from clickscore.errors import ConfigError
from clickscore.report.storage_options import parse


def test_references_are_resolved_and_other_values_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", "s3cret=")
    options = parse(["AWS_REGION=eu-central-1", "AWS_SECRET_ACCESS_KEY=env:THE_KEY"])
    assert options == {"AWS_REGION": "eu-central-1", "AWS_SECRET_ACCESS_KEY": "s3cret="}


@pytest.mark.parametrize("text", ["s3cret", "=s3cret"])
def test_text_that_is_no_option_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="expected NAME=VALUE") as caught:
        parse([text])
    assert "s3cret" not in str(caught.value)


def test_reference_that_leads_nowhere_names_the_option() -> None:
    with pytest.raises(ConfigError, match="--storage-option KEY cannot be used"):
        parse(["KEY=env:NOT_SET_ANYWHERE"])
