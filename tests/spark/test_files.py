from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.files import file_names, list_files, path_exists, plain_path


def test_files_are_listed_below_the_folder_and_hidden_ones_are_not(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a.json", "deep/b.json", ".hidden.json", "_aside.json", "c.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    found = {plain_path(row.path): row.length for row in list_files(spark, str(tmp_path), "*.json").collect()}
    assert found == {f"{tmp_path}/a.json": 1, f"{tmp_path}/deep/b.json": 1}


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
