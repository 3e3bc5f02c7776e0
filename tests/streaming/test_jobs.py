"""The jobs as people start them, with an exit status: from the shell, and in this process with the same arguments."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

RunJob = Callable[..., Any]
PATIENCE_S = 240


def shell(*command: str) -> subprocess.CompletedProcess[str]:
    # The session of the tests has set what a fresh shell does not know; only the options of the JVMs stay.
    known = {name for name in os.environ if not name.startswith(("SPARK_", "PYSPARK_")) or name.endswith("_OPTS")}
    fresh = {name: os.environ[name] for name in known}
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=fresh)


@pytest.mark.parametrize("job", sorted(path.name for path in Path("jobs").glob("[!_]*.py")))
def test_job_explains_itself(job: str) -> None:
    done = shell(sys.executable, f"jobs/{job}", "--help")
    assert done.returncode == 0
    assert "usage:" in done.stdout


def test_bad_configuration_is_one_message_and_exit_status_2(shop: Any, run_job: RunJob) -> None:
    done = run_job("score_stream", "--config", str(shop.config_file), "--set", "sorce.path=x")
    assert done.status == 2
    assert "sorce: unknown key; did you mean source?" in done.err
    assert "Traceback" not in done.err
    assert done.out == ""


def test_missing_model_is_one_message_and_exit_status_2(spark: SparkSession, shop: Any, run_job: RunJob) -> None:
    done = run_job("score_stream", "--config", str(shop.config_file), "--set", "model.uri=models:/small_model@nobody")
    assert done.status == 2
    assert "there is no models:/small_model@nobody. Aliases of small_model: @champion (version 1)" in done.err
    assert "Traceback" not in done.err
    assert not (shop.home / "scored_clicks").exists()


def test_stream_that_fails_is_one_message_and_exit_status_1(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]], run_job: RunJob
) -> None:
    table = deltalake.DeltaTable.create(str(shop.home / "bronze"), pa.schema({"body": pa.string()}))
    deltalake.write_deltalake(table, pa.table({"body": [json.dumps(make_click(1))]}), mode="append")
    shop.set(source={"kind": "delta", "table": table.table_uri, "column": "body"})
    assert run_job("score_stream", "--config", str(shop.config_file)).status == 0
    table.update_incremental()
    table.delete()
    done = run_job("score_stream", "--config", str(shop.config_file))
    assert done.status == 1
    assert done.err.startswith("the stream failed; start it again to resume from the checkpoint: [STREAM_FAILED] ")
    assert "DELTA_SOURCE" in done.err
    assert "Traceback" not in done.err
    assert shop.scored["id"].tolist() == ["c1"]


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


def test_simulator_writes_what_it_says(tmp_path: Path, run_job: RunJob) -> None:
    arguments = ["--folder", str(tmp_path), "--clicks", "3000", "--seed", "4"]
    done = run_job("simulate_clicks", *arguments)
    assert done.status == 0
    assert done.out.startswith("3,000 records in ")
    lines = [line for file in tmp_path.iterdir() for line in file.read_bytes().splitlines()]
    assert len({json.loads(line)["event_id"] for line in lines}) == 3_000
    assert "nothing written" in run_job("simulate_clicks", *arguments).out
