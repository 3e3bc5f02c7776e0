"""Exactly once and one model for each micro-batch, over kills at every point where something becomes durable."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from clickscore import microbatch
from clickscore.tables import Table

MakeClick = Callable[..., dict[str, Any]]
PATIENCE_S = 180


def land_three_batches(shop: Any, make_click: MakeClick) -> None:
    for part in range(3):
        good = [make_click(part * 20 + number) for number in range(20)]
        file = shop.land(f"{part}.jsonl", *good, f"rubbish {part}", make_click(1000 + part, at="never"))
        os.utime(file, (part, part))  # files are read in the order of their times
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 1})


def killed_at(point: str, batch: int, shop: Any) -> None:
    command = [sys.executable, "tests/streaming/dying_job.py", point, str(batch), str(shop.config_file)]
    done = subprocess.run(command, start_new_session=True, timeout=PATIENCE_S, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def outcome(shop: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    scored = shop.scored[["id", "score", "model_version", "batch_id"]]
    rejected = shop.rejected[["raw", "reason", "detail", "batch_id"]].sort_values("raw", ignore_index=True)
    return scored, rejected


@pytest.mark.parametrize("point", ["scored_clicks", "before_commit_log"])
def test_killed_run_and_restart_leave_the_rows_of_an_undisturbed_run(
    spark: SparkSession, shop: Any, make_shop: Callable[[Path], Any], make_click: MakeClick, tmp_path: Path, point: str
) -> None:
    undisturbed = make_shop(tmp_path / "undisturbed")
    for each in (undisturbed, shop):
        land_three_batches(each, make_click)
    undisturbed.run(spark)
    killed_at(point, 1, shop)
    assert set(shop.scored["batch_id"]) == {0, 1}
    assert set(shop.rejected["batch_id"]) == ({0} if point == "scored_clicks" else {0, 1})
    shop.run(spark)
    for found, expected in zip(outcome(shop), outcome(undisturbed), strict=True):
        pd.testing.assert_frame_equal(found, expected)
    assert len(shop.scored) == 60
    assert len(shop.rejected) == 6


def test_replayed_micro_batch_keeps_the_model_that_was_pinned_for_it(
    spark: SparkSession, shop: Any, make_click: MakeClick, registry_uri: str, register_booster: Callable[..., str]
) -> None:
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    client.set_registered_model_alias("small_model", "moving", "1")
    shop.set(model={"uri": "models:/small_model@moving", "registry": registry_uri})
    land_three_batches(shop, make_click)
    killed_at("model_timeline", 0, shop)
    assert len(shop.scored) == 0
    second = register_booster(registry_uri, seed=2, alias="moving")
    client.set_registered_model_alias("small_model", "moving", second)
    shop.run(spark)
    versions = shop.scored.groupby("batch_id")["model_version"].unique()
    assert [list(found) for found in versions] == [["1"], [second], [second]]
    timeline = shop.table("model_timeline").sort_values("from_batch")
    assert timeline[["from_batch", "model_version"]].to_numpy().tolist() == [[0, "1"], [1, second]]


def test_write_that_another_run_has_done_already_ends_the_run_instead_of_hanging(
    spark: SparkSession, shop: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("a.jsonl", make_click(1))
    shop.run(spark)
    for file in (shop.home / "checkpoint" / "commits").iterdir():
        file.unlink()
    # As after a clean-up of the table's history, or beside a second run that has gone on in the meantime.
    monkeypatch.setattr(Table, "last_batch", lambda *_: -1)
    monkeypatch.setattr(microbatch, "OBSERVATION_PATIENCE_S", 2)
    with pytest.raises(StreamingQueryException, match="holds batch 0 already, from another run"):
        shop.run(spark)
    assert len(shop.scored) == 1


def test_sigterm_finishes_the_micro_batch_in_flight_and_exits_with_0(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    land_three_batches(shop, make_click)
    shop.set(trigger="1 second")
    command = [sys.executable, "jobs/score_stream.py", "--config", str(shop.config_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdout is not None
        assert job.stderr is not None
        assert job.stdout.readline().startswith("batch    0")
        job.send_signal(signal.SIGTERM)
        began = time.monotonic()
        seen, errors = job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 0, errors
    assert time.monotonic() - began < PATIENCE_S / 2
    assert "micro-batches:" in seen
    done = shop.scored["batch_id"].max()
    assert len(shop.scored) == 20 * (done + 1)
    assert len(shop.rejected) == 2 * (done + 1)
    shop.set(trigger="available_now")
    shop.run(spark)
    assert len(shop.scored) == 60
    assert len(shop.rejected) == 6
