import json
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.sources.file_log import list_landed, lost_files, newest_taken, planned_files, read_log


def test_files_are_listed_below_the_folder_and_hidden_ones_are_not(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a.json", "deep/b.json", ".hidden.json", "_aside.json", "c.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = {row.source: row.bytes for row in list_landed(spark, str(tmp_path)).collect()}
    assert found == {f"{tmp_path}/a.json": 1, f"{tmp_path}/deep/b.json": 1}


def test_checkpoint_without_a_log_has_taken_no_file(spark: SparkSession, tmp_path: Path) -> None:
    assert read_log(spark, str(tmp_path / "new")).collect() == []


def entry(number: int, *changed_ms: int, path: str = "file:/a") -> str:
    return "".join("\n" + json.dumps({"path": path, "timestamp": ms, "batchId": number}) for ms in changed_ms)


def test_newest_file_of_an_entry_is_found_alone_or_among_those_before_it(spark: SparkSession, tmp_path: Path) -> None:

    log = tmp_path / "sources" / "0"
    log.mkdir(parents=True)
    (log / "9.compact").write_text("v1" + entry(8, 9_000) + entry(9, 1_000, 3_500, 2_000))
    (log / "10").write_text("v1" + entry(10, 4_000))
    (log / "11").write_text("v1" + entry(11, 10**17))
    newest = [newest_taken(spark, str(tmp_path), number) for number in (9, 10, 11)]
    assert newest[:2] == [datetime.fromtimestamp(seconds, timezone.utc) for seconds in (3.5, 4.0)]
    assert newest[2] == datetime(9999, 12, 31, tzinfo=timezone.utc)


def test_lost_file_is_one_that_was_planned_brought_nothing_and_is_not_there(
    spark: SparkSession, tmp_path: Path
) -> None:
    log, offsets, landing = tmp_path / "sources" / "0", tmp_path / "offsets", tmp_path / "landing"
    for folder in (log, offsets, landing):
        folder.mkdir(parents=True)
    (landing / "empty 100%.jsonl").touch()
    place = f"file://{landing}"
    # Entry 8 is of a run that ended before it planned a micro-batch; Spark has put it into the tenth entry since.
    whole = entry(7, 0, path=f"{place}/old.jsonl") + entry(8, 0, path=f"{place}/gone%20a.jsonl")
    (log / "9.compact").write_text("v1" + whole + entry(9, 0, path=f"{place}/empty%20100%25.jsonl"))
    (log / "10").write_text("v1" + entry(10, 0, path=f"{place}/read.jsonl") + entry(10, 0, path=f"{place}/b.jsonl"))
    for batch, last in ((3, 7), (4, 9), (5, 10)):
        (offsets / str(batch)).write_text(f'v1\n{{"batchTimestampMs": 1}}\n{{"logOffset": {last}}}')
    checkpoint = str(tmp_path)
    assert sorted(planned_files(spark, checkpoint, 4)) == [f"{place}/empty%20100%25.jsonl", f"{place}/gone%20a.jsonl"]
    assert [planned_files(spark, checkpoint, batch) for batch in (3, 6)] == [[], []]
    assert lost_files(spark, checkpoint, 4, []) == [f"file:{landing}/gone%20a.jsonl"]
    assert lost_files(spark, checkpoint, 4, [f"file:{landing}/gone%20a.jsonl"]) == []
    assert lost_files(spark, checkpoint, 5, [f"file:{landing}/read.jsonl"]) == [f"file:{landing}/b.jsonl"]
