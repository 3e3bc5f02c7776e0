from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from clickscore.storage.files import file_names, path_exists, plain_path, plain_source


def test_names_are_those_of_empty_files_too(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "7").write_text("")
    (tmp_path / "8 more").write_text("x")
    assert sorted(file_names(spark, str(tmp_path))) == ["7", "8 more"]


def test_folder_that_is_missing_has_no_files(spark: SparkSession, tmp_path: Path) -> None:
    assert path_exists(spark, str(tmp_path))
    assert not path_exists(spark, str(tmp_path / "none"))
    assert file_names(spark, str(tmp_path / "none")) == []


def test_paths_are_compared_without_scheme_and_escapes() -> None:
    assert plain_path("file:///tmp/a%20b") == plain_path("file:/tmp/a b") == "/tmp/a b"
    assert plain_path("s3a://bucket/x") == "bucket/x"


def test_path_is_the_same_however_spark_writes_it(spark: SparkSession) -> None:
    paths = ["file:/a%20b", "file:///a%20b", "/a%20b", "s3a://bucket/a%20b", "topic-1"]
    rows = spark.createDataFrame([(path,) for path in paths], "path STRING").select(plain_source(F.col("path")))
    assert [row[0] for row in rows.collect()] == ["/a%20b"] * 3 + ["bucket/a%20b", "topic-1"]
