"""Upkeep of real tables between two runs of their stream."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import deltalake
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import TableError
from clickscore.storage import maintenance


def maintained(shop: Any, spark: SparkSession, retain_hours: float = 168.0, **how: Any) -> str:
    seen = StringIO()
    maintenance.run(shop.config, lambda: spark, Console(file=seen, width=200), retain_hours, **how)
    return seen.getvalue()


def files(shop: Any, name: str) -> int:
    return len(deltalake.DeltaTable(str(shop.home / name)).file_uris())


def test_small_files_become_one_with_the_same_rows_and_the_stream_goes_on(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    for number in range(3):
        shop.land(f"{number}.jsonl", make_click(number), "rubbish")
        shop.run(spark)
    before = shop.scored
    planned = maintained(shop, spark, dry_run=True)
    assert "scored_clicks    3 of 3 files are below 134.2 MB, with " in planned
    assert " and would be compacted; 0 old ones would be deleted" in planned
    assert " commits in the log, those older than 7 days would be removed" in planned
    assert "model_timeline   1 of 1 files are below 134.2 MB, there is nothing to compact" in planned
    late = maintained(shop, spark, time_limit_s=-1)
    assert "the time limit has passed: scored_clicks, rejected_clicks, model_timeline, stream_metrics" in late
    assert "stay as they are" in late
    assert files(shop, "scored_clicks") == 3
    seen = maintained(shop, spark)
    assert "scored_clicks    3 files became 1, 0 old ones deleted, 1 file with " in seen
    assert "rejected_clicks  3 files became 1" in seen
    assert " commits in the log, " in seen
    assert "source_gaps" not in seen
    assert files(shop, "scored_clicks") == 1
    assert shop.scored.equals(before)
    shop.land("3.jsonl", make_click(3))
    assert "1 scored" in shop.run(spark)
    assert shop.scored["id"].tolist() == ["c0", "c1", "c2", "c3"]


def test_files_that_only_old_versions_need_are_deleted(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    for number in range(2):
        shop.land(f"{number}.jsonl", make_click(number))
        shop.run(spark)
    with pytest.raises(TableError, match=r"scored_clicks cannot be maintained: .*retention"):
        maintained(shop, spark, retain_hours=0)
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    try:
        assert "2 old ones would be deleted" in maintained(shop, spark, retain_hours=0, dry_run=True)
        assert "2 old ones deleted" in maintained(shop, spark, retain_hours=0)
    finally:
        spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
    assert shop.scored["id"].tolist() == ["c0", "c1"]
