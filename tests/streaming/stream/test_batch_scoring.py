"""Models that fail on clicks: these are isolated, and nothing is lost; a model that fails on too many ends the run."""

import json
from collections.abc import Callable
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from clickscore.errors import StreamError
from clickscore.storage.table import Table
from clickscore.stream import deduplication
from clickscore.stream.deduplication import BUCKETS

MakeClick = Callable[..., dict[str, Any]]


def test_poison_clicks_are_rejected_with_the_cause_and_the_rest_is_scored(
    spark: SparkSession, moody: Any, make_click: MakeClick
) -> None:
    clicks = [make_click(number, quantity=number) for number in range(300)]
    for number, price in ((10, moody.raises), (20, moody.hangs), (30, moody.rubbish)):
        clicks[number]["price"] = price
    moody.land("a.jsonl", *clicks, "rubbish")
    assert "301 in" in (seen := moody.run(spark))
    assert "297 scored" in seen
    good = [n for n in range(300) if n not in (10, 20, 30)]
    assert sorted(zip(moody.scored["id"], moody.scored["score"], strict=True)) == sorted((f"c{n}", n) for n in good)
    failed = moody.rejected[moody.rejected["reason"] == "scoring_failed"]
    assert {json.loads(row.raw)["id"]: row.detail for row in failed.itertuples()} == {
        "c10": "ValueError: what is this?",
        "c20": "TimeoutError: no prediction within 1 s",
        "c30": "OutputError: expected a finite number, found nan",
    }
    assert all(json.loads(raw) in clicks for raw in failed["raw"])
    assert moody.rejected["reason"].value_counts()["malformed_json"] == 1


@pytest.mark.parametrize("deduplicate", [None, {"window": "10 minutes"}])
def test_click_that_ends_the_worker_is_isolated(
    deduplicate: dict[str, str] | None, spark: SparkSession, moody: Any, make_click: MakeClick
) -> None:
    moody.set(deduplicate=deduplicate)
    clicks = [make_click(number, quantity=number) for number in range(50)]
    clicks[7]["price"] = moody.dies
    moody.land("a.jsonl", *clicks)
    seen = moody.run(spark)
    assert "a Python worker died; batch 0 is scored again, with moody version" in seen
    assert len(moody.scored) == 49
    [row] = moody.rejected.to_dict("records")
    assert row["reason"] == "scoring_failed"
    assert row["detail"] == "ProcessError: the model ended its process (exit code 7)"


def test_worker_that_is_silent_is_ended_and_no_model_is_blamed(
    spark: SparkSession, moody: Any, make_click: MakeClick, register_moody: Callable[..., str], registry_uri: str,
    most_silence_s: int,
) -> None:  # fmt: skip
    register_moody("moody", "challenger")
    moody.set(model={"uri": "models:/moody@champion", "challenger": "models:/moody@challenger", "trust": "pickle",
                     "registry": registry_uri, "time_limit": "1 second"})  # fmt: skip
    landed = [make_click(number, quantity=number) for number in range(50)]
    landed[7]["price"] = moody.stops
    moody.land("a.jsonl", *landed)
    seen = moody.run(spark)
    assert f"a Python worker was silent for {most_silence_s} s and was ended; batch 0 is scored again" in seen
    assert "a process of its own" not in seen
    assert len(moody.scored) == 50
    assert len(moody.rejected) == 0
    assert "benched" not in set(moody.table("model_timeline")["event"])


def test_model_that_fails_on_too_many_clicks_ends_the_run_before_anything_is_written(
    spark: SparkSession, moody: Any, make_click: MakeClick, registry_uri: str, register_booster: Callable[..., str]
) -> None:
    for part in range(2):
        poison = [make_click(part * 100 + n, price=moody.raises if n < 20 else 1.0) for n in range(100)]
        moody.land(f"{part}.jsonl", *poison, "rubbish")
    with pytest.raises(StreamError, match=r"batch 0: moody version \d+ fails on more clicks than .*\(1.00%\) allows"):
        moody.run(spark)
    assert len(moody.scored) == len(moody.rejected) == 0
    timeline = moody.table("model_timeline").sort_values("pinned_at", ignore_index=True)
    assert timeline["event"].tolist() == ["scores", "withdrawn"]
    assert "ValueError: what is this?" in timeline["reason"][1]
    # The micro-batch was promised to a version that cannot keep it: once the alias has moved, another one scores it.
    version = register_booster(registry_uri, seed=3, name="moody")
    mlflow.MlflowClient(tracking_uri=registry_uri).set_registered_model_alias("moody", "champion", version)
    moody.run(spark)
    assert len(moody.scored) == 200
    assert set(moody.scored["model_version"]) == {version}
    assert moody.rejected["reason"].tolist() == ["malformed_json"] * 2


def test_limit_counts_the_whole_micro_batch_and_not_one_task(
    spark: SparkSession, moody: Any, make_click: MakeClick
) -> None:
    # One file, and so one task, is bad throughout; of the micro-batch it is 12 of 2,000.
    moody.land("bad.jsonl", *[make_click(n, price=moody.raises) for n in range(12)])
    moody.land("good.jsonl", *[make_click(n) for n in range(12, 2_000)])
    moody.run(spark)
    assert len(moody.scored) == 1_988
    assert moody.rejected["reason"].tolist() == ["scoring_failed"] * 12


def test_limit_counts_the_whole_micro_batch_where_duplicates_are_searched(
    spark: SparkSession, moody: Any, make_click: MakeClick
) -> None:
    moody.set(deduplicate={"window": "10 minutes"})
    clicks = [make_click(n) for n in range(2_000)]
    hashes = deduplication._hash(pa.array([click["id"] for click in clicks]))
    # Clicks of one bucket, and so of one task: there they are more than 2%, of the micro-batch 1.25%.
    poison = np.flatnonzero(hashes[:, 0] % BUCKETS == 0)[:25].tolist()
    for n in poison:
        clicks[n]["price"] = moody.raises
    moody.land("a.jsonl", *clicks)
    moody.run(spark)
    assert len(moody.scored) == 1_975
    assert moody.rejected["reason"].tolist() == ["scoring_failed"] * 25


def test_poison_is_not_lost_where_the_run_ends_between_the_two_tables(
    spark: SparkSession, moody: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    clicks = [make_click(n) for n in range(50)]
    clicks[7]["price"] = clicks[8]["price"] = moody.raises
    moody.land("a.jsonl", *clicks, json.dumps(clicks[7]), "rubbish")
    append = Table.append

    def no_room(table: Table, *rest: Any, **named: Any) -> None:
        if table.name.endswith("rejected_clicks"):
            raise OSError("no room on the disk")
        append(table, *rest, **named)

    monkeypatch.setattr(Table, "append", no_room)
    with pytest.raises(StreamingQueryException, match="no room on the disk"):
        moody.run(spark)
    assert (len(moody.scored), len(moody.rejected)) == (48, 0)
    monkeypatch.undo()
    assert "52 in" in moody.run(spark)
    failed = moody.rejected[moody.rejected["reason"] == "scoring_failed"]
    assert sorted(json.loads(raw)["id"] for raw in failed["raw"]) == ["c7", "c7", "c8"]
    assert set(failed["detail"]) == {"ValueError: what is this?"}
    assert (len(moody.scored), len(moody.rejected)) == (48, 4)


def test_poison_is_isolated_where_duplicates_are_searched(
    spark: SparkSession, moody: Any, make_click: MakeClick
) -> None:
    moody.set(deduplicate={"window": "10 minutes"})
    clicks = [make_click(n) for n in range(50)]
    clicks[7]["price"] = moody.raises
    moody.land("a.jsonl", *clicks, *clicks[:10])
    moody.run(spark)
    assert len(moody.scored) == 49
    [row] = moody.rejected.to_dict("records")
    assert (row["reason"], row["detail"]) == ("scoring_failed", "ValueError: what is this?")
    assert '"c7"' in row["raw"]
