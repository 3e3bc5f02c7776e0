"""A broker with SASL/SCRAM over TLS: who may read, and that no secret is told."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 240


@pytest.fixture
def secure_shop(kafka_shop: Any, topic: Any, secure_broker: Any, make_click: Callable[..., dict[str, Any]]) -> Any:
    security = {
        "protocol": "SASL_SSL",
        "mechanism": "SCRAM-SHA-512",
        "username": "env:SHOP_USER",
        "password": "env:SHOP_PASSWORD",
        "truststore": str(secure_broker.certificate),
    }
    kafka_shop.set(
        source={
            "kind": "kafka",
            "bootstrap_servers": secure_broker.secure_servers,
            "topics": [topic.name],
            "security": security,
        }
    )
    topic.make(1)
    topic.send(make_click(1), b"rubbish")
    return kafka_shop


def run_job(shop: Any, password: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "jobs/score_stream.py", "--config", str(shop.config_file)]
    environment = {**os.environ, "SHOP_USER": "alice", "SHOP_PASSWORD": password}
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=environment)


def files_with(home: Path, secret: str) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_right_password_reads_and_is_written_nowhere(secure_shop: Any) -> None:
    password = 'a "difficult\\ password'  # As in conftest.
    done = run_job(secure_shop, password)
    assert done.returncode == 0, done.stderr
    assert secure_shop.scored["id"].tolist() == ["c1"]
    for secret in (password, "difficult", password.replace("\\", "\\\\").replace('"', '\\"')):
        assert secret not in done.stdout + done.stderr
        assert files_with(secure_shop.home, secret) == []


def test_wrong_password_is_one_message_without_it(secure_shop: Any) -> None:
    done = run_job(secure_shop, "wrong-secret")
    assert done.returncode == 2
    assert "SaslAuthenticationException: Authentication failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wrong-secret" not in done.stdout + done.stderr
    assert not (secure_shop.home / "checkpoint").exists()
