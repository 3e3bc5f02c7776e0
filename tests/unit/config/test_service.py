from pathlib import Path

import pytest

from clickscore.config.run import load
from clickscore.config.service import Service
from clickscore.errors import ConfigError

LOCAL = Path("conf/local.yaml")


def service(*settings: str) -> Service:
    found = load(LOCAL, ["service={}", *(f"service.{setting}" for setting in settings)]).service
    assert found
    return found


def test_everything_has_a_default() -> None:
    found = service()
    assert (found.host, found.port, found.token, found.write_behind) == ("127.0.0.1", 8000, None, None)
    assert (found.max_body, found.max_records, found.max_waiting) == (8 * 1024**2, 10_000, 50_000)
    assert found.time_limit_ms == 5_000


def test_limits_are_sizes_and_intervals() -> None:
    found = service('max_body="1 MiB"', 'time_limit="2 seconds"', "write_behind={path: build/served}")
    assert (found.max_body, found.time_limit_ms) == (1024**2, 2_000)
    assert found.write_behind
    assert found.write_behind.path == "build/served"


@pytest.mark.parametrize(("setting", "message"), [
    ("port=70000", "service.port: input should be less than or equal to 65535"),
    ("max_records=0", "service.max_records: input should be greater than 0"),
    ("time_limit=5", 'service.time_limit: expected an interval such as "10 minutes"'),
    ("tokn=env:TOKEN", "service.tokn: unknown key; did you mean token?"),
    ("write_behind={paht: x}", "service.write_behind.paht: unknown key; did you mean path?"),
])  # fmt: skip
def test_wrong_value_is_told_with_its_place(setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        service(setting)
    assert message in str(caught.value)


def test_literal_token_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError, match=r"service.token: expected a reference to a secret") as caught:
        service("token=my-literal-token")
    assert "my-literal-token" not in str(caught.value)
