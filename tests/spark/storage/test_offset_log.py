import json
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from clickscore.errors import CheckpointError
from clickscore.storage.offset_log import (
    COMMITS,
    OFFSETS,
    Planned,
    file_entry,
    is_whole,
    last_entry,
    partition_offsets,
    planned_offsets,
    read_plan,
    read_plans,
    read_query_id,
    table_position,
)


def test_log_tells_when_a_micro_batch_was_planned_and_where_it_ends(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "offsets"
    folder.mkdir()
    for batch in (9, 10):
        (folder / str(batch)).write_text(f'v1\n{{"batchTimestampMs": {batch}000}}\n{json.dumps({"t": {"0": batch}})}')
    (folder / "11").write_text("")  # A crash has left it.
    plans = read_plans(spark, str(tmp_path))
    assert plans == {9: Planned(9000, {"t": {"0": 9}}), 10: Planned(10000, {"t": {"0": 10}})}
    assert read_plan(spark, str(tmp_path), 10) == plans[10]
    assert read_plan(spark, str(tmp_path), 8) is None
    assert planned_offsets(spark, str(tmp_path), 10) == {("t", 0): 10}
    assert planned_offsets(spark, str(tmp_path), 8) == {}
    assert last_entry(spark, str(tmp_path), OFFSETS) == 11
    assert last_entry(spark, str(tmp_path), COMMITS) == -1


@pytest.fixture
def checkpoint(spark: SparkSession, tmp_path: Path) -> str:
    """What Spark itself writes for a stream that has read two files, one after the other."""
    path = tmp_path / "checkpoint"
    (tmp_path / "in").mkdir()
    lines = spark.readStream.text(str(tmp_path / "in"))
    for name in ("a", "b"):
        (tmp_path / "in" / name).write_text("x\n")
        writer = lines.writeStream.option("checkpointLocation", str(path)).trigger(availableNow=True)
        writer.foreachBatch(_count).start().awaitTermination()
    return str(path)


def _count(rows: DataFrame, _: int) -> None:
    rows.count()


def test_checkpoint_of_a_real_stream_is_read(spark: SparkSession, checkpoint: str) -> None:
    assert {batch: file_entry(plan.end) for batch, plan in read_plans(spark, checkpoint).items()} == {0: 0, 1: 1}
    assert all(is_whole(spark, checkpoint, log, batch) for log in (OFFSETS, COMMITS) for batch in (0, 1))
    assert last_entry(spark, checkpoint, COMMITS) == 1
    assert read_query_id(spark, checkpoint) == json.loads(Path(checkpoint, "metadata").read_text())["id"]


def test_entry_that_ends_too_early_is_not_whole(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "offsets").mkdir()
    for batch, content in enumerate(("", "v1", 'v1\n{"a": 1}', 'v1\n{"a": 1}\n{"b": 2', 'v1\n{"a": 1}\n{"b": 2}')):
        (tmp_path / "offsets" / str(batch)).write_text(content)
    found = [is_whole(spark, str(tmp_path), OFFSETS, batch) for batch in range(5)]
    assert found == [False, False, False, False, True]


@pytest.mark.parametrize(
    "entry", ["v1\n{", 'v1\n{"batchTimestampMs": 1}', "v1\n{}\n{}", "v1\n[]\n{}", "\0" * 40 + "\n\0"]
)
def test_entry_that_says_something_else_is_refused_in_words(spark: SparkSession, tmp_path: Path, entry: str) -> None:
    for folder, name in (("offsets", "3"), ("sources/0", "0")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(entry if folder == "offsets" else "v1\n{")
    for read in (lambda: read_plan(spark, str(tmp_path), 3), lambda: read_plans(spark, str(tmp_path))):
        with pytest.raises(CheckpointError, match=r"offsets/3 is damaged: expected lines of JSON below a version"):
            read()
    with pytest.raises(CheckpointError, match=r"sources/0/0 is damaged"):
        planned_offsets(spark, str(tmp_path), -1)


def test_query_without_an_id_is_new_or_damaged(spark: SparkSession, tmp_path: Path) -> None:
    assert read_query_id(spark, str(tmp_path)) is None
    (tmp_path / "metadata").write_text("{")
    with pytest.raises(CheckpointError, match="metadata does not name the stream"):
        read_query_id(spark, str(tmp_path))


def test_each_source_has_its_own_way_to_say_where_a_micro_batch_ends() -> None:
    assert partition_offsets({"a": {"0": 5, "1": 7}, "b": {"0": 1}}) == {("a", 0): 5, ("a", 1): 7, ("b", 0): 1}
    assert file_entry({"logOffset": 3}) == 3
    end = {"sourceVersion": 1, "reservoirVersion": 7, "index": -1, "isStartingVersion": False}
    assert table_position(end) == (7, -1, False)
