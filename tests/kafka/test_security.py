"""A broker with SASL/SCRAM over TLS: who may read, and that no secret is told."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

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


def login(password: str) -> dict[str, str]:
    return {"SHOP_USER": "alice", "SHOP_PASSWORD": password}


def files_with(home: Path, secret: str) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_right_password_reads_and_is_written_nowhere(
    spark: SparkSession, secure_shop: Any, run_job: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    password = 'a "difficult\\ password'  # As in conftest.
    for name, value in login(password).items():
        monkeypatch.setenv(name, value)
    done = run_job("score_stream", "--config", str(secure_shop.config_file))
    assert done.status == 0, done.err
    assert secure_shop.scored["id"].tolist() == ["c1"]
    for secret in (password, "difficult", password.replace("\\", "\\\\").replace('"', '\\"')):
        assert secret not in done.out + done.err
        assert files_with(secure_shop.home, secret) == []


def test_wrong_password_is_one_message_without_it(secure_shop: Any) -> None:
    # In a process of its own: what its JVM prints must not tell the password either.
    command = [sys.executable, "jobs/score_stream.py", "--config", str(secure_shop.config_file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                          env={**os.environ, **login("wrong-secret")})  # fmt: skip
    assert done.returncode == 2
    assert "SaslAuthenticationException: Authentication failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wrong-secret" not in done.stdout + done.stderr
    assert not (secure_shop.home / "checkpoint").exists()
