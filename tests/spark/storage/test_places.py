import os
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.storage.places import (
    UnknownPlaceError,
    encoded,
    file_in_the_way,
    is_inside,
    is_same,
    links_in,
    local_path,
    qualified,
    real,
)


def test_one_place_has_one_spelling(spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spellings = [f"{tmp_path}/a", f"file:{tmp_path}/a", f"file://{tmp_path}/a/", f"{tmp_path}/x/../a", f"{tmp_path}//a"]
    assert {qualified(spark, spelling) for spelling in spellings} == {f"file:{tmp_path}/a"}


def test_link_is_another_spelling_and_the_same_place(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "link").symlink_to("landing")
    folder, link = f"file:{tmp_path}/landing", f"file:{tmp_path}/link"
    assert qualified(spark, f"{tmp_path}/link") == link
    assert real(spark, f"{tmp_path}/link") == folder
    assert is_same(link, folder)
    assert not is_same(folder, f"file:{tmp_path}")
    assert not is_same(folder, f"file:{tmp_path}/nowhere")
    assert not is_same("hdfs://a/x", "hdfs://b/x")


def test_place_is_inside_a_folder_and_not_inside_one_that_begins_alike() -> None:
    assert is_inside("file:/a/b/c", "file:/a/b")
    assert not is_inside("file:/a/bc", "file:/a/b")
    assert not is_inside("file:/a/b", "file:/a/b")


def test_place_on_another_file_system_has_no_local_path() -> None:
    assert local_path("file:/a b") == "/a b"
    assert local_path("hdfs://host/a") is None


@pytest.mark.parametrize("path", ["a:b", "nosuch://bucket/x", "bad://"])
def test_path_of_no_file_system_is_told(spark: SparkSession, path: str) -> None:
    with pytest.raises(UnknownPlaceError, match="cannot be reached: "):
        qualified(spark, path)


def test_place_is_encoded_as_spark_names_files(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "50% of ü"
    folder.mkdir()
    (folder / "a.txt").write_text("x")
    [(name,)] = spark.read.text(str(folder)).select("_metadata.file_path").collect()
    assert name.removeprefix("file://").removeprefix("file:") == encoded(spark, f"file:{folder}")[5:] + "/a.txt"


def test_file_is_in_the_way_of_a_folder_at_its_place_and_below(spark: SparkSession, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.touch()
    assert file_in_the_way(spark, f"file:{file}") == str(file)
    assert file_in_the_way(spark, f"file:{file}/checkpoint") == str(file)
    assert file_in_the_way(spark, f"file:{tmp_path}/new/checkpoint") is None
    with pytest.raises(UnknownPlaceError, match="xxx cannot be reached: File name too long"):
        file_in_the_way(spark, f"file:{tmp_path}/{'x' * 300}")


def test_links_that_lead_to_files_a_second_time_are_found(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    for folder in ("landing/2026/03", "landing/_old", "outside/in", "other"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "outside" / "back").symlink_to(landing)
    again = {"latest": "2026/03", "2026/all": "..", "above": "../..", "once more": "other folder/in"}
    links = {**again, "other folder": "../outside", "fine": "../other", "_hidden": "2026", ".hidden": "2026",
             "_l=1": "2026", "gone": "nowhere", "loop": "loop"}  # fmt: skip
    for name, target in links.items():
        (landing / name).symlink_to(target)
    found = {str(Path(link).relative_to(landing)) for link in links_in(str(landing))}
    # Which of two links to the same folder is the second one does not matter.
    assert found & {"other folder", "once more"}
    assert found - {"other folder", "once more", "other folder/back"} == {"latest", "2026/all", "above", "_l=1"}


def test_folder_that_goes_during_the_look_has_no_links_and_one_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    scan = os.scandir

    def failing(error: type[OSError]) -> Any:
        def scan_some(folder: str) -> Any:
            if Path(folder).name == "b":
                raise error(1, "no", folder)
            return scan(folder)

        return scan_some

    monkeypatch.setattr(os, "scandir", failing(FileNotFoundError))
    assert links_in(str(tmp_path)) == []
    monkeypatch.setattr(os, "scandir", failing(PermissionError))
    with pytest.raises(PermissionError, match="/b"):
        links_in(str(tmp_path))
