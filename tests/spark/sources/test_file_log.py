import json
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.sources.file_log import list_landed, newest_taken, read_log


def test_files_are_listed_below_the_folder_and_hidden_ones_are_not(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a.json", "deep/b.json", ".hidden.json", "_aside.json", "c.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = {row.source: row.bytes for row in list_landed(spark, str(tmp_path)).collect()}
    assert found == {f"{tmp_path}/a.json": 1, f"{tmp_path}/deep/b.json": 1}


def test_checkpoint_without_a_log_has_taken_no_file(spark: SparkSession, tmp_path: Path) -> None:
    assert read_log(spark, str(tmp_path / "new")).collect() == []


def test_newest_file_of_an_entry_is_found_alone_or_among_those_before_it(spark: SparkSession, tmp_path: Path) -> None:
    def entry(number: int, *changed_ms: int) -> str:
        return "".join("\n" + json.dumps({"path": "file:/a", "timestamp": ms, "batchId": number}) for ms in changed_ms)

    log = tmp_path / "sources" / "0"
    log.mkdir(parents=True)
    (log / "9.compact").write_text("v1" + entry(8, 9_000) + entry(9, 1_000, 3_500, 2_000))
    (log / "10").write_text("v1" + entry(10, 4_000))
    newest = [newest_taken(spark, str(tmp_path), number) for number in (9, 10)]
    assert newest == [datetime.fromtimestamp(seconds, timezone.utc) for seconds in (3.5, 4.0)]
