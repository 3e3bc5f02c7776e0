"""What an erasure does not reach of what backfills have read."""

from datetime import datetime, timezone
from typing import Any

from pyspark.sql import SparkSession

from clickscore.erasure.unreached import unreached
from clickscore.storage.backfills import Backfills, Part
from clickscore.storage.fence import Fence
from clickscore.storage.table import Table

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def test_each_folder_that_a_backfill_has_read_is_named_once(spark: SparkSession, shop: Any) -> None:
    backfills = Backfills.of(spark, Table(shop.config.output.scored), "s")
    fence = Fence.acquire(spark, str(shop.home / "fence"), "run")
    parts = [Part(f"file:/{place}/{name}.jsonl", f"file:/{place}", NOON) for place in ("june", "may") for name in "ab"]
    of_topic = Part("clicks-0", first_offset=0, last_offset=9)
    backfills.plan([parts[:3], parts[3:], [of_topic]], ("small", "1"), fence)
    lines = list(unreached(spark, shop.config, [], NOON))
    told = [line for line in lines if "a backfill has read" in line]
    assert told == [
        f"file:/{place}: the files that a backfill has read; delete or rewrite them yourself"
        for place in ("june", "may")
    ]
