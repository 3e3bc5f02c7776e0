"""Why an erasure does not begin beside a request that it cannot finish."""

from types import SimpleNamespace
from typing import Any

import pytest

from clickscore.erasure.erasure import _unable_to_finish
from clickscore.storage.erasures import Request


@pytest.mark.parametrize(
    ("key_id", "told"),
    [
        ("k1", "erasures: request 3 is planned and not done; it has some of these visitors, and others. "),
        ("k2", "erasures: request 3 is planned and not done, under the key k1; the key of this run is k2. "),
    ],
)
def test_request_that_cannot_be_finished_is_told_with_the_way_out(key_id: str, told: str) -> None:
    ledger: Any = SimpleNamespace(table=SimpleNamespace(name="erasures"), key_id=key_id)
    error = str(_unable_to_finish(Request(3, None, "k1", frozenset({"h"}), ("scored_clicks",)), ledger))
    assert error.startswith(told)
    assert "start it again with" in error
