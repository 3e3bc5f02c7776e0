"""Where source, checkpoint and tables may lie."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import ConfigError
from clickscore.stream.placement import Part, check_placement, find_overlaps


def problems(spark: SparkSession, shop: Any) -> list[str]:
    try:
        check_placement(spark, shop.config)
    except ConfigError as error:
        return error.problems
    return []


def test_parts_side_by_side_are_fine(spark: SparkSession, shop: Any) -> None:
    assert problems(spark, shop) == []


@pytest.mark.parametrize(
    ("inner", "outer", "said"),
    [
        ("checkpoint", "scored", "checkpoint, {inner}, lies inside output.scored, {outer}: move it outside."),
        ("checkpoint", "landing", "checkpoint, {inner}, lies inside source.path, {outer}: move it outside."),
        ("rejected", "landing", "output.rejected, {inner}, lies inside source.path, {outer}: move it outside."),
        ("landing", "rejected", "source.path, {inner}, lies inside output.rejected, {outer}: move it outside."),
        ("rejected", "scored", "output.rejected, {inner}, lies inside output.scored, {outer}: move it outside."),
        ("scored", "checkpoint", "output.scored, {inner}, lies inside checkpoint, {outer}: move it outside."),
    ],
)
def test_part_inside_another_one_is_refused(spark: SparkSession, shop: Any, inner: str, outer: str, said: str) -> None:
    paths = {"landing": "landing", "checkpoint": "checkpoint", "scored": "x/scored", "rejected": "y/rejected"}
    paths = {part: str(shop.home / path) for part, path in paths.items()}
    paths[inner] = f"{paths[outer]}/_inside"
    place(shop, paths)
    assert said.format(inner=paths[inner], outer=paths[outer]) in problems(spark, shop)


def place(shop: Any, paths: dict[str, str]) -> None:
    shop.set(source={"kind": "folder", "path": paths["landing"]}, checkpoint=paths["checkpoint"],
             output={"scored": paths["scored"], "rejected": paths["rejected"]})  # fmt: skip


SAME_NAME = "output: expected two tables whose names differ also without folder or schema, found "


@pytest.mark.parametrize(
    ("spelling", "said"),
    [
        ("file:{home}/scored_clicks", SAME_NAME), ("{home}/x/../scored_clicks", SAME_NAME),
        ("{home}/link/scored_clicks", SAME_NAME),
        ("{home}/linked_clicks", "output.scored and output.rejected are the same place, file:"),
    ],
)  # fmt: skip
def test_one_table_in_two_spellings_is_refused(spark: SparkSession, shop: Any, spelling: str, said: str) -> None:
    (shop.home / "link").symlink_to(shop.home)
    (shop.home / "linked_clicks").symlink_to(shop.home / "scored_clicks")
    shop.set(output={"scored": f"{shop.home}/scored_clicks", "rejected": spelling.format(home=shop.home)})
    [problem] = problems(spark, shop)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("spelling", "said"),
    [
        ("shop.clicks", SAME_NAME), ("spark_catalog.shop.clicks", SAME_NAME),
        ("SHOP.`Clicks`", "output.scored and output.rejected are the same place, catalog:spark_catalog.shop.clicks:"),
    ],
)  # fmt: skip
def test_one_table_of_a_catalog_in_two_spellings_is_refused(
    spark: SparkSession, shop: Any, spelling: str, said: str
) -> None:
    shop.set(output={"scored": "Shop.clicks", "rejected": spelling})
    [problem] = problems(spark, shop)
    assert problem.startswith(said)


def test_table_that_another_part_of_the_run_writes_is_refused(spark: SparkSession, shop: Any) -> None:
    shop.set(output={"scored": f"{shop.home}/scored_clicks", "rejected": f"{shop.home}/model_timeline/"})
    [said] = problems(spark, shop)
    assert said.startswith("output.rejected and model_timeline, which stands beside output.scored, are the same place")


def test_ledger_of_erasures_has_a_place_of_its_own(spark: SparkSession, shop: Any) -> None:
    shop.set(output={"scored": f"{shop.home}/scored_clicks", "rejected": f"{shop.home}/erasures"})
    [said] = problems(spark, shop)
    assert said.startswith("output.rejected and erasures, which stands beside output.scored, are the same place")


def test_table_that_is_read_cannot_be_written(spark: SparkSession, shop: Any) -> None:
    shop.set(source={"kind": "delta", "table": f"{shop.home}/scored_clicks"})
    [said] = problems(spark, shop)
    assert said.startswith("source.table and output.scored are the same place")


def test_file_at_the_place_of_a_folder_is_refused(spark: SparkSession, shop: Any) -> None:
    file = shop.home / "run.yaml"
    shop.set(source={"kind": "folder", "path": str(file)}, checkpoint=f"{file}/checkpoint")
    assert problems(spark, shop) == [
        f"source.path: expected a folder, or room for one, at {file}; found the file {file}.",
        f"checkpoint: expected a folder, or room for one, at {file}/checkpoint; found the file {file}.",
        f"checkpoint, {file}/checkpoint, lies inside source.path, {file}: move it outside.",
    ]


def test_place_of_no_file_system_is_refused_and_all_problems_are_told_at_once(spark: SparkSession, shop: Any) -> None:
    shop.set(checkpoint="nosuch://x/y", source={"kind": "folder", "path": f"{shop.home}/rejected_clicks/in"})
    unknown, inside = problems(spark, shop)
    assert unknown.startswith("checkpoint: nosuch://x/y cannot be reached: ")
    assert inside.startswith("source.path, ")


def test_pattern_characters_of_the_working_directory_are_told(spark: SparkSession, shop: Any, tmp_path: Path) -> None:
    (tmp_path / "x[eu]").mkdir()
    (tmp_path / "link").symlink_to("x[eu]")
    shop.set(checkpoint=f"{tmp_path}/link/checkpoint")
    assert problems(spark, shop) == [
        f"checkpoint: file:{tmp_path}/x[eu]/checkpoint has [ ], which Spark takes for a pattern. Use another folder."
    ]


def test_tables_of_a_catalog_are_known_by_their_names() -> None:
    parts = [Part("a", "s.t", "catalog:c.s.t"), Part("b", "s.tt", "catalog:c.s.tt"), Part("c", "/s", "file:/s")]
    assert find_overlaps(parts) == []


def test_decisions_about_models_have_a_place_of_their_own(spark: SparkSession, shop: Any) -> None:
    shop.set(output={"scored": f"{shop.home}/scored_clicks", "rejected": f"{shop.home}/model_decisions"})
    [said] = problems(spark, shop)
    assert said.startswith("output.rejected and model_decisions, which stands beside output.scored, are the same place")
