import pytest
from pydantic import ValidationError

from clickscore.config.lineage import Lineage


def test_address_alone_is_enough() -> None:
    found = Lineage.model_validate({"url": "https://marquez.example.com"})
    assert (found.namespace, found.job, found.token) == ("clickscore", None, None)


@pytest.mark.parametrize(("address", "expected"), [
    ("marquez:5000", "an address that begins with http:// or https://"),
    ("https://user:geheim@marquez.example.com", "an address without a login"),
])  # fmt: skip
def test_address_that_may_hold_a_secret_is_refused_unquoted(address: str, expected: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Lineage.model_validate({"url": address})
    [problem] = caught.value.errors()
    assert expected in problem["msg"]
    assert "geheim" not in problem["msg"]
