"""Jobs that are clients of a Spark Connect server: those that work there, and those that say that they do not."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import deltalake
import numpy as np
import pandas as pd
import pyspark
import pytest
import yaml

from shopsim.landing import write_history
from shopsim.records import Faults

PATIENCE_S = 180
MARCH_MS = 1_772_323_200_000


def fresh(**more: str) -> dict[str, str]:
    known = {key for key in os.environ if not key.startswith(("SPARK", "PYSPARK")) or key.endswith("_OPTS")}
    return {**{key: os.environ[key] for key in known}, **more}


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Spark Connect server, with the settings of a laptop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("connect") / "server.log"
    submit = f"{pyspark.__path__[0]}/bin/spark-submit"
    command = [submit, "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
               "--conf", f"spark.connect.grpc.binding.port={port}", "spark-internal"]  # fmt: skip
    with log.open("wb") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env=fresh(PYSPARK_PYTHON=sys.executable))
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not is_open(port):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield f"sc://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's run, with a history and tables of its own."""
    home = tmp_path_factory.mktemp("connect-demo")
    tree = yaml.safe_load(Path("conf/models.yaml").read_text().replace("build/demo-models", str(home)))
    tree["training"]["clicks"] = str(home / "history")
    (home / "landing").mkdir()
    (home / "run.yaml").write_text(yaml.safe_dump(tree))
    list(write_history(home / "history", 20_000, 20_000, MARCH_MS, 14.0, 1, Faults(malformed=0.001)))
    return home / "run.yaml"


def job(name: str, remote: str, run_file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"jobs/{name}.py", "--config", str(run_file), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                          env=fresh(SPARK_REMOTE=remote))  # fmt: skip


def test_model_is_trained_through_the_server(remote: str, run_file: Path) -> None:
    for alias in ("champion", "challenger"):
        done = job("train_model", remote, run_file, "--alias", alias)
        assert done.returncode == 0, done.stderr
        assert "now @" in done.stdout
        assert "evaluated on" in done.stdout


def test_challenger_is_compared_through_the_server(remote: str, run_file: Path) -> None:
    write_scored(run_file.parent / "scored_clicks")
    done = job("promote_model", remote, run_file)
    assert done.returncode == 1, done.stderr  # the scores have nothing to do with each other
    assert "agreement" in done.stdout


NEED_A_DRIVER = ("score_stream", "replay_rejected", "audit", "maintain_tables", "join_outcomes")
ONE_BY_ONE = """
import sys
from tests.support.jobs import job_module

for name in sys.argv[2:]:
    sys.stderr.write(f"\\f{name} {job_module(name).main(['--config', sys.argv[1]])}\\v")
"""


def test_job_that_needs_its_own_driver_says_so(remote: str, run_file: Path) -> None:
    command = [sys.executable, "-c", ONE_BY_ONE, str(run_file), *NEED_A_DRIVER]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                          env=fresh(SPARK_REMOTE=remote))  # fmt: skip
    said = done.stderr.split("\v")[:-1]
    assert [text.partition("\f")[2] for text in said] == [f"{name} 2" for name in NEED_A_DRIVER], done.stderr
    for text in said:
        assert "it goes through a Spark Connect server" in text
        assert "Traceback" not in text


def write_scored(folder: Path) -> None:
    """Write clicks that both versions have scored, as the stream does."""
    rng = np.random.default_rng(3)
    clicks: dict[str, Any] = {
        "visitor_id": [f"v{n // 3}" for n in range(900)],
        "event_id": [f"c{n}" for n in range(900)],
    }
    clicks |= {"session_id": clicks["visitor_id"], "score": rng.random(900), "challenger_score": rng.random(900)}
    clicks |= {"event_type": np.where(rng.random(900) < 0.1, "purchase", "view_product")}
    frame = pd.DataFrame(clicks).assign(
        model_name="click_propensity", model_version="1", challenger_version="2",
        event_time=pd.Timestamp("2026-03-01", tz="UTC"), scored_at=pd.Timestamp("2026-03-01", tz="UTC"),
    )  # fmt: skip
    deltalake.write_deltalake(str(folder), frame)
