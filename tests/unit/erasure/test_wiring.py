"""The key of the ledger: that of the erasures, else that of privacy; none is an error with the way out."""

from typing import Any

import pytest

from clickscore.config.erasure import Erasure
from clickscore.erasure.wiring import need_ledger_key
from clickscore.errors import ConfigError

ONE, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKSCORE_TEST_ONE", ONE)
    monkeypatch.setenv("CLICKSCORE_TEST_OTHER", OTHER)


@pytest.mark.usefixtures("keys")
def test_key_of_the_erasures_comes_before_that_of_privacy(shop: Any) -> None:
    shop.set(privacy={"key": "env:CLICKSCORE_TEST_ONE", "fields": {"visitor": "hash"}})
    assert need_ledger_key(shop.config) == ONE.encode()
    both = shop.config.model_copy(update={"erasure": Erasure(key="env:CLICKSCORE_TEST_OTHER")})
    assert need_ledger_key(both) == OTHER.encode()


def test_without_a_key_it_is_said_how_to_make_one(shop: Any) -> None:
    with pytest.raises(ConfigError, match="make a key with openssl rand -hex 32 and name it, such as erasure:"):
        need_ledger_key(shop.config)
