"""A version goes from the registry while chunks of a backfill are pinned to it: what is left is scored all the same."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from tests.support.interruption import end_within

from clickscore.stream.rejections import UNKNOWN_DETAIL

RunJob = Callable[..., Any]
MakeClick = Callable[..., dict[str, Any]]
FILES = 4


@pytest.fixture
def client(registry_uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)


@pytest.fixture
def archive(shop: Any, spark: SparkSession, registry_uri: str, make_click: MakeClick) -> Path:
    """A shop whose stream has begun, and a folder beside it with four files, a chunk each; one click is at -1."""
    name = "leaving"
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 100},
             model={"uri": f"models:/{name}@champion", "registry": registry_uri, "trust": "pickle"})  # fmt: skip
    folder = Path(shop.home / "archive")
    folder.mkdir()
    for number in range(FILES):
        clicks = [make_click(10 * number + each, price=-1.0 if (number, each) == (1, 2) else 7.0) for each in range(4)]
        file = folder / f"old-{number}.jsonl"
        file.write_text("\n".join([*map(json.dumps, clicks), "rubbish"]) + "\n")
        os.utime(file, (1_000 + number, 1_000 + number))
    return folder


def versions_of_files(rows: pd.DataFrame) -> dict[str, str]:
    """Return the versions whose scores a table has, by the name of the file."""
    return {
        Path(source).name[:5]: "".join(sorted(set(of_file))) for source, of_file in rows.groupby("source").model_version
    }


def test_chunks_that_nothing_is_written_of_get_the_current_version_and_the_others_keep_their_scores(
    shop: Any, spark: SparkSession, archive: Path, client: MlflowClient, run_job: RunJob, make_click: MakeClick,
    register_moody: Callable[..., str], register_booster: Callable[..., str], registry_uri: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = register_moody("leaving")  # which fails on the click at -1
    shop.land("new.jsonl", make_click(100))
    shop.run(spark)
    job = ("score_batch", "--config", str(shop.config_file), "--files", str(archive))
    with monkeypatch.context() as until_then:
        end_within(3, until_then)  # the second chunk has its scores, but not what it rejects
        assert run_job(*job).status == 1

    second = register_booster(registry_uri, seed=2, name="leaving")
    client.set_registered_model_alias("leaving", "champion", second)
    client.delete_model_version("leaving", first)
    with monkeypatch.context() as until_then:
        end_within(2, until_then)  # so does the third one now
        done = run_job(*job)
    assert done.status == 1
    gone = f"warning: leaving version {first} is no longer in the registry. "
    assert (
        f"{gone}2 chunks are planned for that version, and nothing of them is written yet: "
        f"leaving version {second} scores them instead\n"
    ) in done.out
    assert f"{gone}The scores that it gave to chunk 2, which is batch -" in done.out
    assert versions_of_files(shop.scored.query("batch_id < 0")) == {"old-0": first, "old-1": first, "old-2": second}

    third = register_booster(registry_uri, seed=3, name="leaving")
    client.set_registered_model_alias("leaving", "champion", third)
    client.delete_model_version("leaving", second)
    done = run_job(*job)
    assert done.status == 0, done.err
    assert "1 chunk is planned for that version" in done.out
    scored, rejected = (rows.query("batch_id < 0") for rows in (shop.scored, shop.rejected))
    assert versions_of_files(scored) == {"old-0": first, "old-1": first, "old-2": second, "old-3": third}
    assert sorted(scored["id"]) == sorted(f"c{10 * number + each}" for number in range(FILES) for each in range(4)
                                          if (number, each) != (1, 2))  # fmt: skip
    [failed] = rejected.query("reason != 'malformed_json'").itertuples()
    assert (failed.reason, failed.detail, Path(failed.source).name) == (
        "scoring_failed", UNKNOWN_DETAIL, "old-1.jsonl",
    )  # fmt: skip
    assert len(rejected) == FILES + 1
    done = run_job("audit", "--config", str(shop.config_file))
    assert done.status == 0, done.out
    assert "21 records, each in exactly one row." in done.out


def test_chunk_of_a_version_whose_files_are_gone_waits_for_them_or_for_the_version_to_be_deleted(
    shop: Any, spark: SparkSession, archive: Path, client: MlflowClient, run_job: RunJob, make_click: MakeClick,
    register_booster: Callable[..., str], registry_uri: str, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = register_booster(registry_uri, seed=1, name="leaving")
    client.set_registered_model_alias("leaving", "champion", first)
    shop.land("new.jsonl", make_click(100))
    shop.run(spark)
    job = ("score_batch", "--config", str(shop.config_file), "--files", str(archive))
    with monkeypatch.context() as until_then:
        end_within(2, until_then)
        assert run_job(*job).status == 1
    second = register_booster(registry_uri, seed=2, name="leaving")
    client.set_registered_model_alias("leaving", "champion", second)
    shutil.rmtree(client.get_model_version_download_uri("leaving", first).removeprefix("file://"))
    written = len(shop.scored)
    done = run_job(*job)
    assert done.status == 1
    assert "chunk 1, which is batch -" in done.err
    assert f"expected leaving version {first}, for which it was planned, found that it cannot be used" in done.err
    assert "delete it from the registry: then the version that the job is started with takes its place" in done.err
    assert len(shop.scored) == written
    client.delete_model_version("leaving", first)
    done = run_job(*job)
    assert done.status == 0, done.err
    scored = shop.scored.query("batch_id < 0")
    assert (scored["id"].nunique(), len(scored)) == (16, 16)
    assert versions_of_files(scored) == {"old-0": first, "old-1": second, "old-2": second, "old-3": second}
    done = run_job("audit", "--config", str(shop.config_file))
    assert done.status == 0, done.out
