"""Exactly once and one model for each micro-batch, over ends at every point where something becomes durable."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import deltalake
import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from tests.support.interruption import run_until
from tests.support.waiting import wait_until

from clickscore.registry.registry import fetch_version
from clickscore.storage.pause import FOLDER
from clickscore.storage.table import Table

MakeClick = Callable[..., dict[str, Any]]
PATIENCE_S = 180


def land_three_batches(shop: Any, make_click: MakeClick) -> None:
    for part in range(3):
        good = [make_click(part * 20 + number) for number in range(20)]
        file = shop.land(f"{part}.jsonl", *good, f"rubbish {part}", make_click(1000 + part, at="never"))
        os.utime(file, (part, part))  # files are read in the order of their times
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 1})


@pytest.fixture
def swapping(
    shop: Any, registry_uri: str, register_booster: Callable[..., str], make_click: MakeClick, request: Any
) -> Any:
    """A shop with three files, and an alias of its own, to move from version 1 to the next."""
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    alias = f"moving-{abs(hash(request.node.name))}"
    client.set_registered_model_alias("small_model", alias, "1")
    shop.set(model={"uri": f"models:/small_model@{alias}", "registry": registry_uri})
    shop.alias, shop.client = alias, client
    shop.second = register_booster(registry_uri, seed=2, alias="")
    land_three_batches(shop, make_click)
    return shop


def scores_of(shop: Any, version: str, folder: Path) -> dict[str, float]:
    """Return what pyfunc makes of the clicks."""
    model = fetch_version(shop.config.model, "small_model", version, folder)
    clicks = shop.scored
    features = pd.DataFrame({"double_price": clicks["price"] * 2, "quantity": clicks["quantity"].astype(float)})
    return dict(zip(clicks["id"], mlflow.pyfunc.load_model(str(model.folder)).predict(features), strict=True))


@pytest.mark.parametrize(("point", "version_of_the_batch"), [
    ("planned", "1"), ("pinned", "second"), ("scored", "second"),
])  # fmt: skip
def test_interrupted_around_a_swap_every_micro_batch_keeps_its_one_version(
    spark: SparkSession, swapping: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str,
    version_of_the_batch: str,
) -> None:  # fmt: skip
    run_until(point, swapping, spark, monkeypatch, batch=1, moves_to=swapping.second)
    assert set(swapping.scored["batch_id"]) == ({0, 1} if point == "scored" else {0})
    if point == "scored":  # meanwhile, the alias is gone altogether
        swapping.client.delete_registered_model_alias("small_model", swapping.alias)
    else:
        swapping.client.set_registered_model_alias("small_model", swapping.alias, "1")
    seen = swapping.run(spark)
    assert ("the last active version" in seen) == (point == "scored")
    promised = swapping.second if version_of_the_batch == "second" else "1"
    after = swapping.second if point == "scored" else "1"
    versions = swapping.scored.groupby("batch_id")["model_version"].unique()
    assert [list(found) for found in versions] == [["1"], [promised], [after]]
    timeline = swapping.table("model_timeline").sort_values("pinned_at")
    changes = [(0, "1"), (1, promised), (2, after)]
    expected = [(number, version) for number, version in changes if number == 0 or version != changes[number - 1][1]]
    assert list(zip(timeline["from_batch"], timeline["model_version"], strict=True)) == expected
    scored, rejected = swapping.scored, swapping.rejected
    assert sorted(scored["id"]) == sorted(f"c{number}" for number in range(60))
    expected_scores = {version: scores_of(swapping, version, tmp_path / "m") for version in ("1", swapping.second)}
    for row in scored.itertuples():
        assert row.score == expected_scores[row.model_version][row.id]
    assert sorted(rejected["raw"])[:3] == ["rubbish 0", "rubbish 1", "rubbish 2"]
    assert len(rejected) == 6


def clean_history(spark: SparkSession, table: Table) -> None:
    """Do what Delta does to commits that are older than the table's retention, after one that is not of the stream."""
    table.set_properties(spark, {"cared.for": "yes"})
    witness = deltalake.DeltaTable(table.name)
    witness.create_checkpoint()
    for file in Path(table.name, "_delta_log").glob("[0-9]*"):
        if file.suffix in (".json", ".crc") and int(file.stem) < witness.version():
            file.unlink()


def test_micro_batch_whose_commits_are_cleaned_from_the_history_is_not_written_again(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1), "rubbish")
    shop.run(spark)
    for file in (shop.home / "checkpoint" / "commits").iterdir():
        file.unlink()
    for name in ("scored_clicks", "rejected_clicks"):
        clean_history(spark, Table(str(shop.home / name)))
    shop.run(spark)
    assert (len(shop.scored), len(shop.rejected)) == (1, 1)


@pytest.fixture
def without_retention(spark: SparkSession) -> Iterator[None]:
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    yield
    spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")


@pytest.mark.usefixtures("without_retention")
@pytest.mark.parametrize("deleted", [(), ("c2",)])
def test_micro_batch_is_finished_after_optimize_and_vacuum_between_its_two_commits(
    spark: SparkSession, shop: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch, deleted: tuple[str, ...]
) -> None:
    shop.land("a.jsonl", make_click(1), "rubbish", make_click(2))
    shop.land("b.jsonl", make_click(3), make_click(4, price="x"))
    run_until("scored", shop, spark, monkeypatch)
    assert shop.rejected.empty
    scored = f"delta.`{shop.home / 'scored_clicks'}`"
    for click in deleted:  # a person who must not come back as a rejected record
        spark.sql(f"DELETE FROM {scored} WHERE id = '{click}'")
    spark.sql(f"OPTIMIZE {scored}")
    spark.sql(f"VACUUM {scored} RETAIN 0 HOURS")
    seen = shop.run(spark)
    assert ("files of that commit are removed" in seen) == bool(deleted)
    assert shop.scored["id"].tolist() == [name for name in ("c1", "c2", "c3") if name not in deleted]
    assert shop.rejected["reason"].tolist() == ["malformed_json", "wrong_type"]


def test_nothing_of_a_micro_batch_is_written_while_another_job_has_asked_for_a_pause(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1), "rubbish")
    asked = shop.home / "checkpoint" / FOLDER / "erasure.asked"
    asked.parent.mkdir(parents=True)
    asked.touch()

    def take_back() -> tuple[int, int]:
        wait_until(asked.with_suffix(".answered").exists, "the answer of the stream")
        found = len(shop.scored), len(shop.rejected)
        asked.unlink()
        return found

    with ThreadPoolExecutor(1) as aside:
        meanwhile = aside.submit(take_back)
        seen = shop.run(spark)
    assert meanwhile.result() == (0, 0)
    assert "batch 0 waits for another job that changes the tables" in seen
    assert (len(shop.scored), len(shop.rejected)) == (1, 1)


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
        seen, errors = job.communicate(timeout=PATIENCE_S)
    assert job.returncode == 0, errors
    assert "micro-batches:" in seen
    done = shop.scored["batch_id"].max()
    assert done <= 1  # the third file was not begun
    assert len(shop.scored) == 20 * (done + 1)
    assert len(shop.rejected) == 2 * (done + 1)
    shop.set(trigger="available_now")
    shop.run(spark)
    assert len(shop.scored) == 60
    assert len(shop.rejected) == 6
