from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from clickscore.reconciliation.backfilled import count_unfinished, gather_backfills, has_backfills
from clickscore.reconciliation.batch_range import Range
from clickscore.reconciliation.discrepancies import Holdings, compare, count_rows
from clickscore.reconciliation.expectations import Case, Evidence, Rows
from clickscore.reconciliation.record_keys import ClickId
from clickscore.storage.backfills import Backfills, Part
from clickscore.storage.checkpoint import Checkpoint
from clickscore.storage.fence import Fence
from clickscore.storage.schemas import FIRST_CHUNK
from clickscore.storage.table import Table
from clickscore.stream.definition import Definition

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
KEYED = "source STRING, batch_id BIGINT, key BIGINT, label STRING"
ROWS = "id STRING, source STRING, source_offset BIGINT, batch_id BIGINT"
REJECTED = "raw STRING, reason STRING, detail STRING, source STRING, source_offset BIGINT, batch_id BIGINT"


def test_chunks_that_are_done_are_compared_with_their_files_and_rows_of_no_plan_are_found(
    spark: SparkSession, shop: Any, definition: Definition, make_click: Callable[..., Any]
) -> None:
    archive, click_id = shop.landing, ClickId(pa.schema([definition.contract.click.field("id")]))
    files = [str(shop.land(f"{name}.jsonl", make_click(number))) for number, name in enumerate("abc")]
    scored = [(f"c{number}", file, None, FIRST_CHUNK + number) for number, file in enumerate(files)]
    scored += [("c9", "x.jsonl", None, FIRST_CHUNK + 1), ("c8", "new.jsonl", None, 0)]  # of no plan; of the stream
    scored += [("c7", "later.jsonl", None, FIRST_CHUNK + 9)]  # of a plan that came since
    rows = Rows(spark.createDataFrame(scored[1:], ROWS), spark.createDataFrame([], REJECTED))
    config, nothing = shop.config, spark.createDataFrame([], KEYED)
    checkpoint = Checkpoint(config.checkpoint, "s", 0, 0)
    case = Case(spark, config, click_id, checkpoint, {}, rows, None, None)
    stream = Evidence(Range(0, 0, {}), 0, Holdings(nothing), nothing, nothing, lambda found: found)
    assert (has_backfills(case), count_unfinished(case)) == (True, 0)
    [claimed] = gather_backfills(case, stream)  # rows that claim to be of a backfill, where there was none
    assert sorted(row.source for row in claimed.scored.select("source").collect()) == sorted(
        [*files[1:], "x.jsonl", "later.jsonl"]
    )
    of_stream = replace(case, rows=replace(rows, scored=rows.scored.where("batch_id = 0")))
    assert not has_backfills(of_stream)

    backfills = Backfills.of(spark, Table(config.output.scored), "s")
    fence = Fence.acquire(spark, str(shop.home / "fence"), "run")
    place = f"file:{archive}"
    parts = [Part(f"file://{file}", place, NOON) for file in files]
    gone = Part("file:///nowhere/d.jsonl", "file:/nowhere", NOON)
    chunks = backfills.plan([[part] for part in (*parts, gone)], ("small", "1"), fence)
    for chunk in (chunks[0], chunks[1], chunks[3]):
        backfills.finish(chunk, 1, 0, fence)
    assert (has_backfills(case), count_unfinished(case)) == (True, 1)
    [found] = gather_backfills(case, stream)
    compared = (
        compare(found.held.parts, count_rows(found.scored, found.rejected)).orderBy("batch_id", "source").collect()
    )
    assert [
        (row.source, row.batch_id - FIRST_CHUNK, row.records, row.scored, row.is_gone, row.differs) for row in compared
    ] == [
        (files[0], 0, 1, 0, False, True),  # its row is missing
        (files[1], 1, 1, 1, False, False),
        ("x.jsonl", 1, 0, 1, False, True),
        ("/nowhere/d.jsonl", 3, 0, 0, True, False),  # nobody can count it any more
    ]
    assert found.held.keys
    suspects = found.held.parts.where(f"batch_id = {FIRST_CHUNK}")
    assert [row.label for row in found.held.keys(suspects).collect()] == ["c0"]


def test_backfill_whose_folder_is_gone_is_compared_by_numbers(
    spark: SparkSession, shop: Any, definition: Definition
) -> None:
    rows = Rows(spark.createDataFrame([], ROWS), spark.createDataFrame([], REJECTED))
    click_id = ClickId(pa.schema([definition.contract.click.field("id")]))
    case = Case(spark, shop.config, click_id, Checkpoint(shop.config.checkpoint, "s", 0, 0), {}, rows, None, None)
    backfills = Backfills.of(spark, Table(shop.config.output.scored), "s")
    fence = Fence.acquire(spark, str(shop.home / "fence"), "run")
    [chunk] = backfills.plan([[Part("file:///nowhere/d.jsonl", "file:/nowhere", NOON)]], ("small", "1"), fence)
    backfills.finish(chunk, 1, 0, fence)
    nothing = spark.createDataFrame([], KEYED)
    stream = Evidence(Range(0, 0, {}), 0, Holdings(nothing), nothing, nothing, lambda found: found)
    [found] = gather_backfills(case, stream)
    assert found.held.keys is None
