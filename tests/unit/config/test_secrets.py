"""Secrets are read where their references point, and nowhere else."""

import os
from pathlib import Path

import pytest

from clickscore.config.secrets import resolve
from clickscore.errors import ConfigError


def test_secret_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "hunter2")
    assert resolve("env:KAFKA_PASSWORD", "source.security.password") == "hunter2"


def test_secret_comes_from_a_file_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2 \n")
    assert resolve(f"file:{tmp_path}/password", "source.security.password") == "hunter2 "


def test_missing_secret_names_its_key_and_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"source.security.password(.|\n)*NOT_THERE is not set; export it"):
        resolve("env:NOT_THERE", "source.security.password")
    with pytest.raises(ConfigError, match=r"source.security.password(.|\n)*nothing is not readable: FileNotFoundError"):
        resolve(f"file:{tmp_path}/nothing", "source.security.password")


def test_file_that_holds_no_text_or_cannot_be_a_file_is_refused_without_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"hunter2\xff")
    for name in ("password", "\0", "x" * 5000):
        with pytest.raises(ConfigError, match="is not readable: ") as caught:
            resolve(f"file:{tmp_path}/{name}", "source.security.password")
        assert "hunter2" not in str(caught.value)


def test_variable_that_holds_no_text_is_refused_without_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"RAW_KEY", b"hunter2\xff")
    with pytest.raises(ConfigError, match="the environment variable RAW_KEY is not UTF-8") as caught:
        resolve("env:RAW_KEY", "privacy.key")
    assert "hunter2" not in str(caught.value)


def test_databricks_secret_without_a_workspace_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"secret shop/kafka is not readable|databricks-sdk"):
        resolve("secret:shop/kafka", "source.security.password")
