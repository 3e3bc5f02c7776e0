import sys

import pytest

from clickscore.config.lineage import Lineage
from clickscore.errors import ConfigError
from clickscore.monitoring.lineage_transport import connect


def test_missing_token_is_told_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_TOKEN", raising=False)
    with pytest.raises(ConfigError, match=r"(?s)lineage\.token.*NO_TOKEN is not set"):
        connect(Lineage(url="https://marquez.example.com", token="env:NO_TOKEN"))


def test_missing_client_is_told_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openlineage.client.transport.http", None)
    with pytest.raises(ConfigError, match=r"pip install 'clickscore\[lineage\]'"):
        connect(Lineage(url="https://marquez.example.com"))
