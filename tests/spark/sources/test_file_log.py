from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.sources.file_log import list_landed, read_log


def test_files_are_listed_below_the_folder_and_hidden_ones_are_not(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a.json", "deep/b.json", ".hidden.json", "_aside.json", "c.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = {row.source: row.bytes for row in list_landed(spark, str(tmp_path)).collect()}
    assert found == {f"{tmp_path}/a.json": 1, f"{tmp_path}/deep/b.json": 1}


def test_checkpoint_without_a_log_has_taken_no_file(spark: SparkSession, tmp_path: Path) -> None:
    assert read_log(spark, str(tmp_path / "new")).collect() == []
