import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from clickscore.errors import StreamError
from clickscore.storage.fence import RUN_PROPERTY, Fence
from clickscore.storage.table import Table

SCHEMA = T.StructType([T.StructField("id", T.StringType())])
PATIENCE_S = 60


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    return Table(str(tmp_path / "clicks"))


@pytest.fixture
def start_run(spark: SparkSession, table: Table, tmp_path: Path) -> Callable[[], Fence]:
    """Take the stream over as a run does: first the checkpoint, then the table."""

    def start_run() -> Fence:
        fence = Fence.acquire(spark, str(tmp_path / "checkpoint"), f"run {next(numbers)}")
        table.create(spark, SCHEMA, ["id"], {RUN_PROPERTY: fence.run_id})
        return fence

    numbers = count(1)
    return start_run


def rows(spark: SparkSession, *ids: str) -> DataFrame:
    return spark.createDataFrame([(name,) for name in ids], SCHEMA)


def ids(spark: SparkSession, table: Table) -> list[str]:
    return sorted(row.id for row in table.read(spark).collect())


def test_run_appends_all_its_rows_for_as_long_as_it_holds_the_fence(
    spark: SparkSession, table: Table, start_run: Callable[[], Fence]
) -> None:
    fence = start_run()
    for name in ("a", "b"):
        table.append(fence.guard(rows(spark, name, name + name)))
    fence.check()
    assert ids(spark, table) == ["a", "aa", "b", "bb"]


def test_run_that_was_replaced_appends_nothing_and_is_told(
    spark: SparkSession, table: Table, start_run: Callable[[], Fence]
) -> None:
    paused = start_run()
    start_run()
    with pytest.raises(Exception, match=r"FILE_NOT_EXIST|has been replaced by another one"):
        table.append(paused.guard(rows(spark, "a")))
    with pytest.raises(StreamError, match="says run 2, this run is run 1"):
        paused.check()
    assert ids(spark, table) == []


def test_append_that_had_begun_when_the_run_was_replaced_is_not_committed(
    spark: SparkSession, table: Table, start_run: Callable[[], Fence], tmp_path: Path
) -> None:
    first, begun = start_run(), tmp_path / "begun"

    def pause(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            begun.touch()
            while not (tmp_path / "go on").exists():
                time.sleep(0.01)
            yield batch

    with ThreadPoolExecutor(1) as aside:
        paused = aside.submit(lambda: table.append(first.guard(rows(spark, "a")).mapInArrow(pause, SCHEMA)))
        until = time.monotonic() + PATIENCE_S
        while not begun.exists() and time.monotonic() < until:
            time.sleep(0.01)
        second = start_run()
        table.append(second.guard(rows(spark, "b")))
        (tmp_path / "go on").touch()
        assert "DELTA_METADATA_CHANGED" in str(paused.exception(PATIENCE_S))
    assert ids(spark, table) == ["b"]


def test_no_run_writes_without_a_fence(
    spark: SparkSession, table: Table, start_run: Callable[[], Fence], tmp_path: Path
) -> None:
    fence = start_run()
    for file in (tmp_path / "checkpoint" / "clickscore-run").iterdir():
        file.unlink()
    spark.conf.set("spark.sql.files.ignoreMissingFiles", "true")  # as some clusters have it
    try:
        with pytest.raises(Exception, match="has been replaced by another one"):
            table.append(fence.guard(rows(spark, "a")))
    finally:
        spark.conf.unset("spark.sql.files.ignoreMissingFiles")
    with pytest.raises(StreamError, match="says nothing, this run is run 1"):
        fence.check()
    assert ids(spark, table) == []
