import pytest
from pydantic import ValidationError

from clickscore.config.deduplicate import Deduplicate


def test_window_is_an_interval() -> None:
    assert Deduplicate.model_validate({"window": "10 minutes"}).window_ms == 600_000


def test_window_is_needed() -> None:
    with pytest.raises(ValidationError, match="window"):
        Deduplicate.model_validate({})
