"""The key of the ledger is a reference, never the key itself."""

import pytest
from pydantic import ValidationError

from clickscore.config.erasure import Erasure


def test_key_is_a_reference_to_a_secret() -> None:
    assert Erasure.model_validate({"key": "env:CLICKSCORE_ERASURE_KEY"}).key == "env:CLICKSCORE_ERASURE_KEY"


def test_key_itself_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError, match="expected a reference to a secret") as refused:
        Erasure.model_validate({"key": "5e2f8d1c9b7a4063"})
    assert "expected a reference to a secret" in refused.value.errors()[0]["msg"]


def test_key_is_needed() -> None:
    with pytest.raises(ValidationError, match="key"):
        Erasure.model_validate({})
