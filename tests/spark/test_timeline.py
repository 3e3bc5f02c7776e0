from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import types as T

from clickscore.registry import ModelVersion
from clickscore.schemas import MODEL_TIMELINE
from clickscore.tables import Table
from clickscore.timeline import Timeline

V1 = ModelVersion("m", "1", "run", "d" * 64, T.StructType([]), Path(), is_booster=True)
V2 = replace(V1, version="2")


@pytest.fixture
def open_timeline(spark: SparkSession, tmp_path: Path) -> Callable[[ModelVersion], Timeline]:
    table = Table(str(tmp_path / "model_timeline"))
    table.create(spark, MODEL_TIMELINE, ["from_batch"], "s")
    return lambda current: Timeline(
        spark, table, current, lambda name, version: replace(V1, name=name, version=version)
    )


def rows(spark: SparkSession, tmp_path: Path) -> list[tuple[int, str]]:
    found = Table(str(tmp_path / "model_timeline")).read(spark).orderBy("from_batch").collect()
    return [(row.from_batch, row.model_version) for row in found]


def test_row_is_written_only_when_the_version_changes(
    spark: SparkSession, tmp_path: Path, open_timeline: Callable[[ModelVersion], Timeline]
) -> None:
    first = open_timeline(V1)
    assert [first.model_for(batch, False, "s") for batch in (0, 1, 2)] == [V1, V1, V1]
    assert open_timeline(V1).model_for(3, False, "s") == V1
    assert open_timeline(V2).model_for(4, False, "s") == V2
    assert rows(spark, tmp_path) == [(0, "1"), (4, "2")]


def test_micro_batch_that_was_planned_before_keeps_its_version(
    spark: SparkSession, tmp_path: Path, open_timeline: Callable[[ModelVersion], Timeline]
) -> None:
    assert open_timeline(V1).model_for(0, False, "s") == V1
    restarted = open_timeline(V2)
    assert restarted.model_for(1, True, "s") == V1
    assert restarted.model_for(2, False, "s") == V2
    assert rows(spark, tmp_path) == [(0, "1"), (2, "2")]


def test_micro_batch_that_was_planned_but_not_pinned_gets_the_current_version(
    spark: SparkSession, tmp_path: Path, open_timeline: Callable[[ModelVersion], Timeline]
) -> None:
    assert open_timeline(V2).model_for(0, True, "s") == V2
    assert rows(spark, tmp_path) == [(0, "2")]
