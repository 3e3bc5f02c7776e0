import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from rich.console import Console

from clickscore.config.run import HealthEndpoint
from clickscore.errors import ConfigError
from clickscore.monitoring import endpoint
from clickscore.monitoring.health import Health

TIMEOUT_S = 5


@contextmanager
def serving(health: Health, **section: object) -> Iterator[str]:
    """Yield the address that the console tells."""
    seen = StringIO()
    with endpoint.serving(HealthEndpoint.model_validate({"port": 0, **section}), health, Console(file=seen)):
        yield seen.getvalue().split()[1].removesuffix("/healthz")


def ask(url: str) -> tuple[int, str]:
    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_health_is_told_as_json_and_as_metrics_without_a_log_of_who_asked(capfd: pytest.CaptureFixture[str]) -> None:
    health = Health(300, clock=lambda: 5_000.0)
    with serving(health) as url:
        code, body = ask(f"{url}/healthz")
        assert (code, json.loads(body)) == (200, {
            "status": "starting", "quiet_seconds": 0.0, "oldest_unprocessed_seconds": None, "last_batch": None,
            "last_batch_at": None, "consecutive_failures": 0, "retries": 0, "model": None, "read": 0, "scored": 0,
            "rejected": 0, "duplicates": 0,
        })  # fmt: skip
        health.serves("small_model", "2")
        health.idle(12.04)
        said = json.loads(ask(f"{url}/healthz?from=test")[1])
        assert (said["status"], said["oldest_unprocessed_seconds"]) == ("ok", 12.0)
        assert said["model"] == {"name": "small_model", "version": "2"}
        code, body = ask(f"{url}/metrics")
        assert code == 200
        assert 'clickscore_status{status="ok"} 1.0' in body
        assert ask(f"{url}/")[0] == ask(f"{url}/metrics/more")[0] == 404
    assert capfd.readouterr() == ("", "")


def test_stuck_job_is_unavailable_and_one_that_is_behind_is_not() -> None:
    seconds = [0.0]
    health = Health(300, 60, lambda: seconds[0])
    with serving(health) as url:
        health.idle(361)
        code, body = ask(f"{url}/healthz")
        assert (code, json.loads(body)["status"]) == (200, "behind")
        seconds[0] = 361
        code, body = ask(f"{url}/healthz")
        assert (code, json.loads(body)["status"]) == (503, "stuck")
        assert ask(f"{url}/metrics")[0] == 200


def test_client_that_says_nothing_holds_nobody_up(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(Health(300)) as url:
        host, _, port = url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port))) as silent:
            silent.sendall(b"GET /hea")
            assert ask(f"{url}/healthz")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_nothing_listens_any_more_when_the_run_is_over() -> None:
    with serving(Health(300)) as url:
        assert [thread for thread in threading.enumerate() if thread.name == "health"]
    with pytest.raises(OSError, match="refused"):
        ask(f"{url}/healthz")
    assert not [thread for thread in threading.enumerate() if thread.name == "health"]


def test_place_where_nobody_can_listen_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=rf"127.0.0.1:{port}: Address already in use. Stop the process"),
            serving(Health(300), port=port),
        ):
            pass
    with (
        pytest.raises(ConfigError, match=r"203.0.113.1:0: Cannot assign"),
        serving(Health(300), host="203.0.113.1"),
    ):
        pass


def test_without_the_section_nothing_listens_and_nothing_is_loaded() -> None:
    with endpoint.serving(None, Health(300), Console(file=StringIO())):
        assert not [thread for thread in threading.enumerate() if thread.name == "health"]
    loads = "import sys, clickscore.stream.app; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0
