"""Clicks that come twice, through real streams with real state."""

import json
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession
from tests.support.interruption import run_until

MakeClick = Callable[..., dict[str, Any]]


@pytest.fixture
def thrifty_shop(shop: Any) -> Any:
    """A shop that scores each id once in ten minutes."""
    shop.set(deduplicate={"window": "10 minutes"})
    return shop


def ago(**span: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(**span)).isoformat()


def test_same_id_is_scored_once_within_a_batch_over_batches_and_over_restarts(
    spark: SparkSession, thrifty_shop: Any, make_click: MakeClick
) -> None:
    thrifty_shop.land("a.jsonl", make_click(1), make_click(2), make_click(1))
    first = thrifty_shop.run(spark)
    thrifty_shop.land("b.jsonl", make_click(2), make_click(3), "rubbish")
    second = thrifty_shop.run(spark)
    thrifty_shop.land("c.jsonl", make_click(1), make_click(3))
    third = thrifty_shop.run(spark)
    assert sorted(thrifty_shop.scored["id"]) == ["c1", "c2", "c3"]
    assert "3 in          2 scored       0 rejected       1 duplicates" in first
    assert "3 in          1 scored       1 rejected       1 duplicates" in second
    assert "2 in          0 scored       0 rejected       2 duplicates" in third
    assert "2 records in 1 micro-batch: 0 scored, 0 rejected, 2 duplicates" in third


def test_late_click_is_scored_not_dropped(spark: SparkSession, thrifty_shop: Any, make_click: MakeClick) -> None:
    thrifty_shop.land("a.jsonl", make_click(1, at=ago(seconds=1)))
    thrifty_shop.run(spark)
    thrifty_shop.land(
        "b.jsonl",
        make_click(2, at=ago(hours=3)),
        make_click(3, at=ago(days=40)),
        make_click(4, at="1999-12-31T23:59:59Z"),
        make_click(5, at=ago(days=-2)),
        make_click(3, at=ago(days=40)),
    )
    thrifty_shop.run(spark)
    assert sorted(thrifty_shop.scored["id"]) == ["c1", "c2", "c3", "c4", "c5"]


def test_rejected_record_holds_no_id_and_more_rejections_than_the_first_pass_carries_are_all_written(
    spark: SparkSession, thrifty_shop: Any, make_click: MakeClick
) -> None:
    rubbish = [f"rubbish {number} " + "x" * 2_000 for number in range(500)]
    cheap = make_click(4, price="cheap")
    thrifty_shop.land("a.jsonl", make_click(1), make_click(1), make_click(2, quantity=None), cheap, make_click(4),
                      *rubbish, rubbish[0])  # fmt: skip
    thrifty_shop.run(spark)
    thrifty_shop.land("b.jsonl", make_click(1), make_click(3))
    thrifty_shop.run(spark)
    assert sorted(thrifty_shop.scored["id"]) == ["c1", "c2", "c3", "c4"]
    rejected = thrifty_shop.rejected
    assert sorted(rejected["raw"]) == sorted([*rubbish, rubbish[0], json.dumps(cheap)])
    assert rejected.loc[rejected["raw"] == json.dumps(cheap), "reason"].tolist() == ["wrong_type"]
    assert set(rejected["reason"]) == {"malformed_json", "wrong_type"}


def test_click_without_a_feature_is_rejected_with_its_raw_record(
    spark: SparkSession, thrifty_shop: Any, registry_uri: str, make_click: MakeClick,
    register_classifier: Callable[..., None],
) -> None:  # fmt: skip
    register_classifier(registry_uri, pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1, 2]}), "needs_quantity")
    thrifty_shop.set(model={"uri": "models:/needs_quantity@champion", "registry": registry_uri})
    thrifty_shop.land("a.jsonl", make_click(1, quantity=None), make_click(2), make_click(1, quantity=None))
    said = thrifty_shop.run(spark)
    assert thrifty_shop.scored["id"].tolist() == ["c2"]
    assert thrifty_shop.rejected[["reason", "raw"]].values.tolist() == [
        ["missing_feature", json.dumps(make_click(1, quantity=None))]
    ]
    assert "1 scored, 1 rejected, 1 duplicate\n" in said


def test_id_is_forgotten_after_the_window(spark: SparkSession, shop: Any, make_click: MakeClick) -> None:
    shop.set(deduplicate={"window": "2 seconds"})
    shop.land("a.jsonl", make_click(1))
    shop.run(spark)
    time.sleep(3)
    shop.land("b.jsonl", make_click(1))
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c1"]


def test_interrupted_batch_neither_loses_nor_repeats(
    spark: SparkSession, thrifty_shop: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    thrifty_shop.land("a.jsonl", make_click(1), make_click(2), make_click(2), "rubbish")
    run_until("scored", thrifty_shop, spark, monkeypatch)
    thrifty_shop.land("b.jsonl", make_click(2), make_click(3))
    said = thrifty_shop.run(spark)
    assert sorted(thrifty_shop.scored["id"]) == ["c1", "c2", "c3"]
    assert thrifty_shop.rejected["raw"].tolist() == ["rubbish"]
    assert "6 records in 2 micro-batches: 3 scored, 1 rejected, 2 duplicates" in said
