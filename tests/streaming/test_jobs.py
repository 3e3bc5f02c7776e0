"""The jobs as people start them: from the shell, with an exit status."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 240


def shell(*command: str) -> subprocess.CompletedProcess[str]:
    # The session of the tests has set what a fresh shell does not know.
    fresh = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_", "PYSPARK_"))}
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=fresh)


@pytest.mark.parametrize("job", sorted(path.name for path in Path("jobs").glob("*.py")))
def test_job_explains_itself(job: str) -> None:
    done = shell(sys.executable, f"jobs/{job}", "--help")
    assert done.returncode == 0
    assert "usage:" in done.stdout


def test_bad_configuration_is_one_message_and_exit_status_2(shop: Any) -> None:
    done = shell(sys.executable, "jobs/score_stream.py", "--config", str(shop.config_file), "--set", "sorce.path=x")
    assert done.returncode == 2
    assert "sorce: unknown key; did you mean source?" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_missing_model_is_one_message_and_exit_status_2(shop: Any) -> None:
    command = [sys.executable, "jobs/score_stream.py", "--config", str(shop.config_file)]
    done = shell(*command, "--set", "model.uri=models:/small_model@nobody")
    assert done.returncode == 2
    assert "there is no models:/small_model@nobody. Aliases of small_model: @champion (version 1)" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (shop.home / "scored_clicks").exists()


def test_stream_that_fails_exits_with_1(shop: Any, make_click: Callable[..., dict[str, Any]]) -> None:
    shop.land("a.jsonl", make_click(1))
    (shop.home / "checkpoint").write_text("not a folder")
    done = shell(sys.executable, "jobs/score_stream.py", "--config", str(shop.config_file))
    assert done.returncode == 1
    assert done.stderr


def test_spark_submit_runs_the_job_from_the_zip(shop: Any, make_click: Callable[..., dict[str, Any]]) -> None:
    shop.land("a.jsonl", make_click(1), "rubbish")
    spark_submit = str(Path(sys.executable).with_name("spark-submit"))
    command = [
        spark_submit,
        "--py-files",
        "dist/clickscore.zip",
        "jobs/score_stream.py",
        "--config",
        str(shop.config_file),
    ]
    done = shell(*command)
    assert done.returncode == 0, done.stderr
    assert "1 scored" in done.stdout
    assert shop.scored["id"].tolist() == ["c1"]


def test_simulator_writes_what_it_says(tmp_path: Path) -> None:
    command = [sys.executable, "jobs/simulate_clicks.py", "--folder", str(tmp_path), "--clicks", "3000", "--seed", "4"]
    done = shell(*command)
    assert done.returncode == 0
    assert done.stdout.startswith("3,000 records in ")
    lines = [line for file in tmp_path.iterdir() for line in file.read_bytes().splitlines()]
    assert len({json.loads(line)["event_id"] for line in lines}) == 3_000
    assert "nothing written" in shell(*command).stdout
