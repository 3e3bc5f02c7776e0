from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.batch.chunks import ChunkTables, OneVersion
from clickscore.storage.fence import Fence
from clickscore.storage.schemas import FIRST_CHUNK
from clickscore.storage.table import Table


def test_chunk_is_committed_once_and_not_by_a_run_that_was_replaced(spark: SparkSession, tmp_path: Path) -> None:
    table, rows = Table(str(tmp_path / "scored_clicks")), spark.range(3)
    spark.range(0).write.format("delta").save(table.location)

    def tables(run: str) -> ChunkTables:
        return ChunkTables("backfills", Fence.acquire(spark, str(tmp_path), run), table, table, 0, 0)

    first = tables("one")
    for _ in range(2):
        first.append(table, rows, FIRST_CHUNK)
    first.append(table, rows, FIRST_CHUNK + 1)
    assert table.read(spark).count() == 6
    assert table.last_batch(spark, "backfills") == FIRST_CHUNK + 1
    tables("two")
    with pytest.raises(Exception, match=r"FILE_NOT_EXIST|run one has been replaced by another one"):
        first.append(table, rows, FIRST_CHUNK + 2)
    assert table.read(spark).count() == 6


def test_all_chunks_of_a_plan_get_its_version_and_no_challenger() -> None:
    version: Any = object()
    assert OneVersion(version).models_for(FIRST_CHUNK, True) == (version, None)
