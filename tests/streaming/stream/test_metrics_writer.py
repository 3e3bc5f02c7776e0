"""The table of metrics of real runs: one row per micro-batch, whatever is interrupted."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from clickscore.drift.baseline import read_baseline
from clickscore.errors import CheckpointError
from clickscore.storage.stream_metrics import STREAM_METRICS, KeptRows
from clickscore.storage.table import STREAM_PROPERTY, Table
from clickscore.stream import pipeline

MakeClick = Callable[..., dict[str, Any]]


def metrics(shop: Any) -> pd.DataFrame:
    return shop.table("stream_metrics").sort_values("batch_id", ignore_index=True)


def kept(shop: Any) -> list[str]:
    return sorted(file.name for file in Path(shop.config.checkpoint, "clickscore-metrics").glob("[0-9]*.json"))


def test_each_micro_batch_has_a_row_that_says_what_became_of_its_records(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    rubbish = pipeline.MOST_LISTED + 1  # more than come to the driver
    shop.land("0.jsonl", *[make_click(n, colour="red") for n in range(200)], "rubbish", make_click(7, price="x"))
    shop.land("1.jsonl", make_click(1_000), *["rubbish"] * rubbish, make_click(8, at="never"))
    shop.land("2.jsonl", "rubbish")
    for part in range(3):
        os.utime(shop.landing / f"{part}.jsonl", (part, part))  # files are read in the order of their times
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 1}, drift={"minimum": 200})
    told = shop.run(spark)
    rows, scored = metrics(shop), shop.scored
    assert rows["batch_id"].tolist() == [0, 1, 2]
    assert rows[["read", "scored", "rejected", "sources"]].to_numpy().tolist() == [
        [202, 200, 2, 1], [rubbish + 2, 1, rubbish + 1, 1], [1, 0, 1, 1],
    ]  # fmt: skip
    assert list(map(dict, rows["rejected_by_reason"])) == [
        {"malformed_json": 1, "wrong_type": 1}, {"malformed_json": rubbish, "invalid_time": 1}, {"malformed_json": 1},
    ]  # fmt: skip
    first = scored[scored["batch_id"] == 0]["score"]
    assert rows["score_mean"][0] == pytest.approx(first.mean())
    quantiles = rows[["score_p05", "score_p25", "score_p50", "score_p75", "score_p95"]].loc[0]
    assert quantiles.is_monotonic_increasing
    assert quantiles.between(first.min(), first.max()).all()
    assert rows["score_mean"].isna().tolist() == rows["score_p50"].isna().tolist() == [False, False, True]
    assert rows["duplicates"].isna().all()
    assert (rows["model_name"][0], rows["model_version"][0]) == ("small_model", "1")
    assert rows["sampled"].tolist() == [pipeline.SAMPLED, 0, 0]
    [(field, count)] = dict(rows["unknown_fields"][0]).items()
    assert (field, count >= pipeline.SAMPLED - 2) == ("colour", True)
    assert rows["newest_event_at"][0] == pd.Timestamp("2026-03-01T12:00:00Z")
    assert (rows["finished_at"] > rows["began_at"]).all()
    for phases in map(dict, rows["phase_seconds"]):
        assert {"batch", "choose_model", "reject", "spark.addBatch", "spark.triggerExecution"} <= set(phases)
        assert phases["batch"] <= phases["spark.triggerExecution"]
    assert kept(shop) == []
    assert_counted(rows, scored)
    assert told.count("drift: 200 clicks differ from the baseline of small_model version 1: ") == 1
    assert told.count("drift: ") == 1
    shop.land("3.jsonl", make_click(2_000))
    assert "drift: " not in shop.run(spark)  # it goes on with the window of the run before, which has told
    assert metrics(shop)["batch_id"].tolist() == [0, 1, 2, 3]
    assert metrics(shop)["drifted"].map(list, na_action="ignore")[3] == list(rows["drifted"][0])


def assert_counted(rows: pd.DataFrame, scored: pd.DataFrame) -> None:
    """Compare the histograms with the rows of scored_clicks, click by click."""
    baseline = read_baseline(rows["baseline"][0])
    assert rows["baseline"].isna().tolist() == [False, True, True]
    for batch_id in (0, 1):
        clicks = scored[scored["batch_id"] == batch_id]
        columns = {"double_price": clicks["price"] * 2, "quantity": clicks["quantity"]}
        found = dict(rows["feature_histograms"][batch_id])
        assert list(rows["score_histogram"][batch_id]) == baseline.bins.score.count(pa.array(clicks["score"])).tolist()
        assert {name: list(counts) for name, counts in found.items()} == {
            name: bins.count(pa.array(columns[name], from_pandas=True)).tolist()
            for name, bins in baseline.bins.features.items()
        }
        assert "double_price" in rows["drifted"][batch_id]
    assert rows.loc[2, ["score_histogram", "feature_histograms", "drifted"]].isna().all()


def test_rows_that_a_run_could_not_append_or_remove_are_in_the_table_once_after_the_next_one(
    spark: SparkSession, shop: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("the disk is full")

    shop.land("0.jsonl", make_click(0))
    with monkeypatch.context() as broken:
        broken.setattr(Table, "create", _refusing(Table.create, "stream_metrics"))
        seen = shop.run(spark)
    assert "stream_metrics: 1 row of micro-batches cannot be appended: the disk is full" in seen
    assert kept(shop) == ["0.json"]
    assert not (shop.home / "stream_metrics").exists()
    Path(shop.config.checkpoint, "clickscore-metrics", "1.json").write_text('{"batch_id": 1, "be')  # killed here
    shop.land("1.jsonl", make_click(1))
    with monkeypatch.context() as broken:
        broken.setattr(KeptRows, "remove", refuse)
        shop.run(spark)
    assert metrics(shop)["batch_id"].tolist() == [0, 1]
    assert kept(shop) == ["0.json", "1.json"]
    shop.land("2.jsonl", make_click(2))
    shop.run(spark)
    assert metrics(shop)[["batch_id", "read"]].to_numpy().tolist() == [[0, 1], [1, 1], [2, 1]]
    assert kept(shop) == []


def _refusing(create: Callable[..., None], name: str) -> Callable[..., None]:
    def create_or_refuse(table: Table, *arguments: Any, **named: Any) -> None:
        if table.name.endswith(name):
            raise OSError("the disk is full")
        create(table, *arguments, **named)

    return create_or_refuse


def test_table_of_another_stream_is_refused_before_the_first_micro_batch(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    Table(str(shop.home / "stream_metrics")).create(spark, STREAM_METRICS, ["batch_id"], {STREAM_PROPERTY: "another"})
    shop.land("0.jsonl", make_click(0))
    with pytest.raises(CheckpointError, match="stream_metrics is written by stream another, but the checkpoint"):
        shop.run(spark)
    assert not (shop.home / "scored_clicks").exists()
