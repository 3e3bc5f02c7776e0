"""What is checked before the stream starts."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.errors import ConfigError, ModelError, PreflightError, SourceError, WiringError
from clickscore.registry.registry import fetch_current, fetch_version
from clickscore.registry.version import ModelVersion
from clickscore.stream.preflight import Findings, check


@pytest.fixture
def look(spark: SparkSession, shop: Any, tmp_path: Path) -> Callable[..., Findings]:
    def look(try_out: Callable[[ModelVersion], None] = lambda _: None) -> Findings:
        fetching: Future[ModelVersion] = Future()
        try:
            fetching.set_result(fetch_current(shop.config.model, tmp_path))
        except WiringError as error:
            fetching.set_exception(error)
        return check(spark, shop.config, fetching, partial(fetch_version, shop.config.model, folder=tmp_path), try_out)

    return look


def test_parts_that_fit_together_are_the_wiring(look: Callable[..., Findings]) -> None:
    tried: list[ModelVersion] = []
    found = look(tried.append)
    assert found.problems == ()
    assert found.require() is found.wiring
    assert [model.key for model in tried] == [("small_model", "1")]


def test_check_that_needs_a_wrong_part_has_nothing_to_say(shop: Any, look: Callable[..., Findings]) -> None:
    ddl = shop.home / "broken.ddl"
    ddl.write_text("id STRING NOT")
    shop.set(click={"schema": str(ddl), "id": "id", "time": "at", "visitor": "visitor"})
    found = look()
    [problem] = found.problems
    assert isinstance(problem, ConfigError)
    assert (found.contract, found.features, found.wiring) == (None, None, None)
    assert found.model is not None
    with pytest.raises(ConfigError, match="expected fields in Spark DDL"):
        found.require()


def test_problems_of_parts_that_need_not_each_other_are_all_told(shop: Any, look: Callable[..., Findings]) -> None:
    def fails(model: ModelVersion) -> None:
        raise ModelError(f"{model.label} cannot be used for scoring: no such package")

    shop.set(source={"kind": "folder", "path": str(shop.home / "nowhere")})
    found = look(fails)
    assert [type(problem) for problem in found.problems] == [SourceError, ModelError]
    with pytest.raises(
        PreflightError, match=r"(?s)for 2 reasons:\n1\. source.path: no such.*\n2\. small_model version 1"
    ):
        found.require()


def test_model_that_cannot_be_had_is_one_problem(shop: Any, registry_uri: str, look: Callable[..., Findings]) -> None:
    shop.set(model={"uri": "models:/small_model@nobody", "registry": registry_uri})
    [problem] = look().problems
    assert "@nobody" in str(problem)


def test_parts_that_overlap_are_told_and_what_is_in_them_is_not_looked_at(
    shop: Any, look: Callable[..., Findings]
) -> None:
    shop.set(checkpoint=f"{shop.home}/scored_clicks/_checkpoint", source={"kind": "folder", "path": "nosuch://x/y"})
    [problem] = look().problems
    assert isinstance(problem, ConfigError)
    assert [said.partition(":")[0].partition(",")[0] for said in problem.problems] == ["source.path", "checkpoint"]
    assert not (shop.home / "scored_clicks").exists()
