from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from clickscore.batch.chunk_tables import ChunkTables, OvertakenError, begun_in
from clickscore.storage.backfills import Chunk
from clickscore.storage.fence import Fence
from clickscore.storage.schemas import FIRST_CHUNK
from clickscore.storage.table import Table
from clickscore.storage.transactions import last_batch

APP = "backfills"
CHUNKS = [Chunk(1, FIRST_CHUNK + number, "small", "1", []) for number in range(3)]


def chunk_tables(spark: SparkSession, home: Path, run: str, *, is_new: bool = False) -> ChunkTables:
    table = Table(str(home / "scored_clicks"))
    if not table.exists(spark):
        spark.sql(f"CREATE TABLE {table.sql_name} (batch_id BIGINT) USING delta")
    return ChunkTables(APP, Fence.acquire(spark, str(home), run), table, table, 0, 0, is_new=is_new)


def test_chunk_is_committed_once_and_not_by_a_run_that_was_replaced(spark: SparkSession, tmp_path: Path) -> None:
    first, rows = chunk_tables(spark, tmp_path, "one", is_new=True), spark.range(3).toDF("batch_id")
    for _ in range(2):
        first.append(first.scored, rows, FIRST_CHUNK)
    first.append(first.scored, rows, FIRST_CHUNK + 1)
    assert first.scored.read(spark).count() == 6
    assert last_batch(spark, first.scored, APP) == FIRST_CHUNK + 1
    chunk_tables(spark, tmp_path, "two")
    with pytest.raises(Exception, match=r"FILE_NOT_EXIST|run one has been replaced by another one"):
        first.append(first.scored, rows, FIRST_CHUNK + 2)
    assert first.scored.read(spark).count() == 6


def test_run_whose_chunk_was_committed_by_the_run_that_it_replaced_is_told(spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.range(3).toDF("batch_id")
    first = chunk_tables(spark, tmp_path, "one")
    first.append(first.scored, rows, FIRST_CHUNK)  # past its look at the fence, before the other one puts up its own
    second = chunk_tables(spark, tmp_path, "two")
    with pytest.raises(OvertakenError, match=f"scored_clicks has batch {FIRST_CHUNK} from run one, not from two"):
        second.append(second.scored, rows, FIRST_CHUNK)
    second.append(second.scored, rows, FIRST_CHUNK + 1)
    assert second.scored.read(spark).count() == 6


def test_chunk_has_begun_by_its_rows_or_by_its_transaction(spark: SparkSession, tmp_path: Path) -> None:
    tables = chunk_tables(spark, tmp_path, "one")
    assert begun_in(spark, tables.scored, APP, CHUNKS) == set()
    none = spark.range(0).toDF("batch_id")
    tables.append(tables.scored, none, FIRST_CHUNK)
    assert begun_in(spark, tables.scored, APP, CHUNKS) == {FIRST_CHUNK}
    assert begun_in(spark, tables.scored, "another stream's", CHUNKS) == set()
    # The rows, and the transaction by which they came, may have different lives.
    tables.scored.append(spark.range(FIRST_CHUNK + 2, FIRST_CHUNK + 3).toDF("batch_id"))
    assert begun_in(spark, tables.scored, APP, CHUNKS) == {FIRST_CHUNK, FIRST_CHUNK + 2}
    assert begun_in(spark, tables.scored, APP, CHUNKS[:2]) == {FIRST_CHUNK}
