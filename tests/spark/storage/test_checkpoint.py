import json
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.errors import CheckpointError
from clickscore.storage.checkpoint import (
    Checkpoint,
    check_belongs,
    check_logs,
    check_state,
    read_checkpoint,
    written_upto,
)
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch

SCHEMA = T.StructType([T.StructField("id", T.StringType())])


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    table = Table(str(tmp_path / "clicks"))
    table.create(spark, SCHEMA, ["id"], {STREAM_PROPERTY: "stream-1"})
    table.append(spark.createDataFrame([("a",)], SCHEMA), of_batch("stream-1", 3))
    return table


def test_missing_checkpoint_is_new(spark: SparkSession, tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    assert read_checkpoint(spark, path) == Checkpoint(path, None, -1, -1)


def test_checkpoint_of_an_earlier_version_tells_its_stream_and_how_far_it_came(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "metadata").write_text(json.dumps({"id": "stream-1"}))
    for log, batches in (("offsets", ("9", "10", "11")), ("commits", ("9", "10"))):
        (tmp_path / log).mkdir()
        for batch in batches:
            (tmp_path / log / batch).write_text("v1")
            (tmp_path / log / f".{batch}.crc").write_text("x")
    assert read_checkpoint(spark, str(tmp_path)) == Checkpoint(str(tmp_path), "stream-1", 11, 10)


def test_stream_of_a_checkpoint_is_named_by_its_own_id_and_not_by_that_of_a_query(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "metadata").write_text(json.dumps({"id": "query-1"}))
    (tmp_path / "clickscore-stream").mkdir()
    (tmp_path / "clickscore-stream" / "part-0.txt").write_text("stream-1\n")
    assert read_checkpoint(spark, str(tmp_path)).stream == "stream-1"


def test_checkpoint_that_names_no_stream_is_damaged(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "metadata").write_text("{")
    with pytest.raises(CheckpointError, match="metadata does not name the stream"):
        read_checkpoint(spark, str(tmp_path))


def test_checkpoint_of_the_table_belongs(spark: SparkSession, table: Table) -> None:
    check_belongs(spark, Checkpoint("cp", "stream-1", 3, 2), table, table.found_properties(spark))
    check_belongs(spark, Checkpoint("cp", "stream-1", 8, 8), table, table.found_properties(spark))


def test_older_copy_of_the_checkpoint_is_refused(spark: SparkSession, table: Table) -> None:
    with pytest.raises(CheckpointError, match="holds batch 3, but the checkpoint cp only reached batch 2"):
        check_belongs(spark, Checkpoint("cp", "stream-1", 2, 2), table, table.found_properties(spark))


def test_new_or_foreign_checkpoint_is_refused_with_the_way_out(spark: SparkSession, table: Table) -> None:
    with pytest.raises(CheckpointError, match="the checkpoint cp is new"):
        check_belongs(spark, Checkpoint("cp", None, -1, -1), table, table.found_properties(spark))
    with pytest.raises(CheckpointError, match="belongs to stream stream-2") as caught:
        check_belongs(spark, Checkpoint("cp", "stream-2", 5, 5), table, table.found_properties(spark))
    spark.sql(str(caught.value).splitlines()[-1])
    check_belongs(spark, Checkpoint("cp", "stream-2", 5, 5), table, table.found_properties(spark))


def test_table_that_is_gone_is_refused_unless_the_checkpoint_is_new(spark: SparkSession, tmp_path: Path) -> None:
    gone = Table(str(tmp_path / "gone"))
    check_belongs(spark, Checkpoint("cp", None, -1, -1), gone, gone.found_properties(spark))
    with pytest.raises(CheckpointError, match="does not exist, but the checkpoint cp says"):
        check_belongs(spark, Checkpoint("cp", "stream-1", 3, 3), gone, gone.found_properties(spark))


def test_micro_batch_that_is_in_a_copy_of_the_table_is_not_written_once_more(
    spark: SparkSession, tmp_path: Path
) -> None:
    table = Table(str(tmp_path / "scored"))
    planned_at = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
    shape = T.StructType([T.StructField("batch_id", T.LongType()), T.StructField("scored_at", T.TimestampType())])
    table.create(spark, shape, ["batch_id"], {STREAM_PROPERTY: "stream-1"})
    rows = [(3, planned_at - timedelta(days=9)), (4, planned_at + timedelta(seconds=1))]
    table.append(spark.createDataFrame(rows, shape), of_batch("stream-1", 4))
    (tmp_path / "offsets").mkdir()
    for batch in (3, 4, 5):
        plan = f'{{"batchTimestampMs": {planned_at.timestamp() * 1000:.0f}}}'
        (tmp_path / "offsets" / str(batch)).write_text(f'v1\n{plan}\n{{"logOffset": {batch}}}')
    copies = [Table(str(tmp_path / name)) for name in ("clone", "copy")]
    spark.sql(f"CREATE TABLE {copies[0].sql_name} SHALLOW CLONE {table.sql_name}")
    spark.sql(f"CREATE TABLE {copies[1].sql_name} USING delta AS SELECT * FROM {table.sql_name}")

    def upto(table: Table, planned: int, stream: str = "stream-1") -> int:
        return written_upto(spark, Checkpoint(str(tmp_path), stream, planned, planned - 1), table, "scored_at", stream)

    assert [upto(each, 4) for each in (table, *copies)] == [4, 4, 4]
    assert [upto(each, 5) for each in (table, *copies)] == [4, 4, 4]
    # Rows of this number that are older than the plan are those of a stream before this one.
    assert upto(copies[1], 3, "stream-2") == 2

    # The history of the copy says nothing of micro-batch 4, but its rows do.
    copies[1].set_properties(spark, {STREAM_PROPERTY: "stream-1"})
    older = Checkpoint(str(tmp_path), "stream-1", 3, 3)
    with pytest.raises(CheckpointError, match=r"holds batch 4, but the checkpoint .* only reached batch 3"):
        check_belongs(spark, older, copies[1], copies[1].found_properties(spark))
    check_belongs(spark, replace(older, last_planned=4), copies[1], copies[1].found_properties(spark))
    (tmp_path / "offsets" / "4").write_text("")
    with pytest.raises(CheckpointError, match=r"offsets/4 is damaged: .* its clicks are in .*copy: restore it"):
        check_logs(spark, replace(older, last_planned=4), [copies[1]])


@pytest.mark.parametrize(
    ("last_done", "has_state", "deduplicates", "began"),
    [
        (-1, False, True, None), (-1, True, True, None), (-1, False, False, None), (-1, True, False, "with"),
        (3, True, True, None), (3, True, False, "with"), (3, False, True, "without"), (3, False, False, None),
    ],
)  # fmt: skip
def test_stream_goes_on_with_the_memory_of_ids_that_it_began_with(
    spark: SparkSession, tmp_path: Path, last_done: int, has_state: bool, deduplicates: bool, began: str | None
) -> None:
    if has_state:
        (tmp_path / "state").mkdir()
    checkpoint = Checkpoint(str(tmp_path), "stream-1", 3, last_done)
    if began is None:
        check_state(spark, checkpoint, deduplicates)
        return
    with pytest.raises(CheckpointError, match=f"the checkpoint .* began {began} it"):
        check_state(spark, checkpoint, deduplicates)


WHOLE = 'v1\n{"batchWatermarkMs": 0}\n{"logOffset": 3}'


@pytest.mark.parametrize(
    ("offsets", "commits", "batch", "remedy"),
    [
        (WHOLE, 'v1\n{"nextBatchWatermarkMs":0}', 3, None),
        ("", 'v1\n{"x":0}', 3, r"offsets/3 is damaged: .* restore it from a copy"),
        (WHOLE[:-1], 'v1\n{"x":0}', 3, r"offsets/3 is damaged"),
        (WHOLE[:8], 'v1\n{"x":0}', 3, r"offsets/3 is damaged"),
        (WHOLE, "", 3, r"commits/3 is damaged: .* Delete it: micro-batch 3 is checked again"),
        ("", None, 3, r"its clicks are in .*clicks: restore it"),
        ("", None, 4, r"No table holds anything of micro-batch 4: delete the file, and it is planned again"),
    ],
)
def test_damaged_log_is_refused_with_what_can_be_done(
    spark: SparkSession, tmp_path: Path, table: Table, offsets: str, commits: str | None, batch: int, remedy: str | None
) -> None:
    for log, content in (("offsets", offsets), ("commits", commits)):
        (tmp_path / log).mkdir()
        if content is not None:
            (tmp_path / log / str(batch)).write_text(content)
    checkpoint = Checkpoint(str(tmp_path), "stream-1", batch, batch if commits is not None else batch - 1)
    if remedy is None:
        check_logs(spark, checkpoint, [table])
        return
    with pytest.raises(CheckpointError, match=f"(?s){remedy}"):
        check_logs(spark, checkpoint, [table])


def test_entry_that_does_not_match_its_checksum_is_damaged(spark: SparkSession, tmp_path: Path) -> None:
    spark.createDataFrame([(WHOLE,)], "value STRING").coalesce(1).write.text(str(tmp_path / "written"))
    [written] = (tmp_path / "written").glob("part-*.txt")
    (tmp_path / "offsets").mkdir()
    entry = tmp_path / "offsets" / "0"
    entry.write_bytes(written.read_bytes().replace(b"3", b"4"))
    (tmp_path / "offsets" / ".0.crc").write_bytes(written.with_name(f".{written.name}.crc").read_bytes())
    with pytest.raises(CheckpointError, match="offsets/0 is damaged"):
        check_logs(spark, Checkpoint(str(tmp_path), "stream-1", 0, -1), [])
