import os
from datetime import datetime, timezone
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.storage.files import (
    changed_at,
    file_names,
    holds_files,
    path_exists,
    plain_path,
    plain_source,
    read_lines,
    read_text,
    remove,
    write_text,
)


def test_names_are_those_of_empty_files_too(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "7").write_text("")
    (tmp_path / "8 more").write_text("x")
    assert sorted(file_names(spark, str(tmp_path))) == ["7", "8 more"]


def test_folder_that_is_missing_has_no_files(spark: SparkSession, tmp_path: Path) -> None:
    assert path_exists(spark, str(tmp_path))
    assert not path_exists(spark, str(tmp_path / "none"))
    assert file_names(spark, str(tmp_path / "none")) == []


def test_file_tells_when_it_was_changed_last(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a b").touch()
    os.utime(tmp_path / "a b", (1_700_000_000, 1_700_000_000))
    assert changed_at(spark, f"file:{tmp_path}/a b") == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
    assert changed_at(spark, str(tmp_path / "nothing")) is None


def test_hidden_names_are_passed_over(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("_SUCCESS", ".part.crc", "part"):
        (tmp_path / name).touch()
    assert file_names(spark, str(tmp_path)) == ["part"]


def test_folder_holds_files_if_one_is_anywhere_below_it_and_not_hidden(spark: SparkSession, tmp_path: Path) -> None:
    assert not holds_files(spark, str(tmp_path / "none"))
    (tmp_path / "a" / "_temporary").mkdir(parents=True)
    (tmp_path / "a" / "_temporary" / "0").touch()
    assert not holds_files(spark, str(tmp_path))
    (tmp_path / "a" / "0").touch()
    assert holds_files(spark, str(tmp_path))


def test_text_is_read_as_it_was_written(spark: SparkSession, tmp_path: Path) -> None:
    file = str(tmp_path / "new folder" / "50% é.txt")
    assert read_text(spark, file) is None
    write_text(spark, file, "eins\n")
    write_text(spark, file, "zwei, é 📚\ndrei")
    assert Path(file).read_text() == read_text(spark, file) == "zwei, é 📚\ndrei"
    assert read_lines(spark, str(tmp_path / "new folder")) == ["zwei, é 📚", "drei"]
    (tmp_path / "stays").touch()
    remove(spark, str(tmp_path / "new folder"))
    remove(spark, str(tmp_path / "new folder"))
    assert [path.name for path in tmp_path.iterdir()] == ["stays"]
    assert read_lines(spark, str(tmp_path / "new folder")) == []


def test_paths_are_compared_without_scheme_and_escapes() -> None:
    assert plain_path("file:///tmp/a%20b") == plain_path("file:/tmp/a b") == "/tmp/a b"
    assert plain_path("s3a://bucket/x") == "bucket/x"


def test_path_is_the_same_however_spark_writes_it(spark: SparkSession) -> None:
    paths = ["file:/a%20b", "file:///a%20b", "/a%20b", "s3a://bucket/a%20b", "topic-1"]
    rows = spark.createDataFrame([(path,) for path in paths], "path STRING").select(plain_source(F.col("path")))
    assert [row[0] for row in rows.collect()] == ["/a%20b"] * 3 + ["bucket/a%20b", "topic-1"]
