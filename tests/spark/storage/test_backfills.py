from datetime import datetime, timezone
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clickscore.storage.backfills import Backfills, Chunk, Part
from clickscore.storage.fence import Fence
from clickscore.storage.schemas import FIRST_CHUNK
from clickscore.storage.table import Table

NOON = datetime(2026, 3, 1, 12)
FILE = Part("file:///old/a.jsonl", "file:/old", NOON)
OFFSETS = Part("clicks-0", first_offset=3, last_offset=8)


def test_plan_is_found_again_until_its_chunks_are_done(spark: SparkSession, tmp_path: Path) -> None:
    backfills = Backfills.of(spark, Table(f"{tmp_path}/scored_clicks"), "s")
    assert backfills.unfinished() == []
    fence = Fence.acquire(spark, str(tmp_path), "one")
    at = FILE._replace(changed_at=NOON.replace(tzinfo=timezone.utc))
    first, second = backfills.plan([[at], [OFFSETS, OFFSETS._replace(source="clicks-1")]], ("small", "3"), fence)
    assert [(chunk.backfill_id, chunk.batch_id, chunk.number) for chunk in (first, second)] == [
        (1, FIRST_CHUNK, 1), (1, FIRST_CHUNK + 1, 2),
    ]  # fmt: skip
    left = backfills.unfinished()
    assert [(chunk.number, chunk.model_name, chunk.model_version) for chunk in left] == [
        (1, "small", "3"), (2, "small", "3"),
    ]  # fmt: skip
    assert [list(chunk.parts) for chunk in left] == [[FILE], list(second.parts)]  # Spark's times have no zone

    backfills.finish(first, 5, 1, fence)
    backfills.finish(first, 5, 1, fence)
    assert [chunk.number for chunk in backfills.unfinished()] == [2]
    done = backfills.read().where("event = 'done'").select("batch_id", "scored", "rejected").collect()
    assert {tuple(row) for row in done} == {(FIRST_CHUNK, 5, 1)}
    assert backfills.newest() == FIRST_CHUNK + 1

    newer = Fence.acquire(spark, str(tmp_path), "two")
    with pytest.raises(Exception, match=r"FILE_NOT_EXIST|run one has been replaced by another one"):
        backfills.plan([[OFFSETS]], ("small", "3"), fence)
    [third] = backfills.plan([[OFFSETS]], ("small", "4"), newer)
    assert (third.backfill_id, third.number) == (2, 3)
    with pytest.raises(Exception, match=r"FILE_NOT_EXIST|run one has been replaced by another one"):
        backfills.finish(first, 5, 1, fence)


def test_chunk_has_the_version_that_it_was_pinned_to_last(spark: SparkSession, tmp_path: Path) -> None:
    backfills = Backfills.of(spark, Table(f"{tmp_path}/scored_clicks"), "s")
    fence = Fence.acquire(spark, str(tmp_path), "one")
    parts = [[OFFSETS, OFFSETS._replace(source="clicks-1")], [OFFSETS._replace(source="clicks-2")]]
    first, second = backfills.plan(parts, ("small", "3"), fence)
    for version in ("4", "5"):
        [pinned] = backfills.pin([first], ("other", version), fence)
    assert pinned == Chunk(1, FIRST_CHUNK, "other", "5", first.parts)
    assert backfills.unfinished() == [pinned, second]
    assert backfills.planned().count() == 3
    backfills.finish(pinned, 5, 1, fence)
    assert backfills.unfinished() == [second]

    Fence.acquire(spark, str(tmp_path), "two")
    with pytest.raises(Exception, match=r"FILE_NOT_EXIST|run one has been replaced by another one"):
        backfills.pin([second], ("other", "5"), fence)
