"""The model changes under a running stream, and a challenger scores beside the champion."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from deltalake import DeltaTable
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from tests.support.waiting import wait_until

MakeClick = Callable[..., dict[str, Any]]
PATIENCE_S = 120
BATCHES = 24


@pytest.fixture
def client(registry_uri: str) -> MlflowClient:
    return MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)


def land(shop: Any, make_click: MakeClick, batches: int, clicks: int = 20, **fields: Any) -> None:
    """Land files that make a micro-batch each."""
    for part in range(batches):
        shop.land(
            f"{part:03}.jsonl", *[make_click(part * clicks + n, visitor=f"v{n}", **fields) for n in range(clicks)]
        )
    shop.set(source={"kind": "folder", "path": str(shop.landing), "max_bytes": 1})


def wait_for(shop: Any, is_there: Callable[[pd.DataFrame], bool]) -> None:
    """Wait until the scored clicks are as they should be, while the stream goes on."""
    place = str(shop.home / "scored_clicks")
    wait_until(lambda: DeltaTable.is_deltatable(place) and is_there(DeltaTable(place).to_pandas()),
               patience_s=PATIENCE_S, poll_s=0.2)  # fmt: skip


def test_alias_that_moves_takes_effect_under_the_running_stream(
    spark: SparkSession, shop: Any, make_click: MakeClick, registry_uri: str, client: MlflowClient,
    register_booster: Callable[..., str],
) -> None:  # fmt: skip
    first = register_booster(registry_uri, seed=1, name="swapping")
    second = register_booster(registry_uri, seed=2, name="swapping", alias="")
    tampered = register_booster(registry_uri, seed=3, name="swapping", alias="")
    place = client.get_model_version_download_uri("swapping", tampered).removeprefix("file://")
    Path(place, "model.lgb").write_text("tampered")
    shop.set(model={"uri": "models:/swapping@champion", "registry": registry_uri, "poll": "500 milliseconds"})
    land(shop, make_click, BATCHES)
    moved: dict[str, float] = {}

    def move() -> None:
        wait_for(shop, lambda scored: scored["batch_id"].max() >= 1)
        client.set_registered_model_alias("swapping", "champion", second)
        moved["second"] = time.time()
        wait_for(shop, lambda scored: second in set(scored["model_version"]))
        client.set_registered_model_alias("swapping", "champion", tampered)

    mover = threading.Thread(target=move)
    mover.start()
    seen = shop.run(spark)
    mover.join()
    scored = shop.scored
    assert len(scored) == BATCHES * 20
    by_batch = scored.groupby("batch_id")["model_version"].unique()
    assert all(len(versions) == 1 for versions in by_batch)
    versions = [versions[0] for versions in by_batch]
    change = versions.index(second)
    assert versions == [first] * change + [second] * (BATCHES - change)
    began = scored.loc[scored["batch_id"] == change, "scored_at"].min().timestamp()
    assert began - moved["second"] < 10
    timeline = shop.table("model_timeline").sort_values("pinned_at")
    assert list(zip(timeline["event"], timeline["model_version"], strict=True)) == [
        ("scores", first), ("scores", second), ("refused", tampered),
    ]  # fmt: skip
    assert timeline["from_batch"].tolist()[:2] == [0, change]
    assert "the files are not those that were registered" in timeline["reason"].iloc[-1]
    assert seen.count(f"swapping version {tampered} is refused, swapping version {second} stays") == 1
    assert f"swapping version {second} is ready" in seen


def test_challenger_scores_some_visitors_always_the_same(
    spark: SparkSession, shop: Any, make_click: MakeClick, registry_uri: str, register_booster: Callable[..., str]
) -> None:
    champion = register_booster(registry_uri, seed=1, name="challenged")
    challenger = register_booster(registry_uri, seed=2, name="challenged", alias="challenger")
    shop.set(model={"uri": "models:/challenged@champion", "registry": registry_uri, "challenger_share": 0.3,
                    "challenger": "models:/challenged@challenger"})  # fmt: skip
    land(shop, make_click, 3, clicks=200)
    shop.run(spark)
    scored = shop.scored
    assert set(scored["model_version"]) == {champion}
    is_challenged = scored["challenger_score"].notna()
    by_visitor = is_challenged.groupby(scored["visitor"]).nunique()
    assert (by_visitor == 1).all()
    assert 0.15 < is_challenged.mean() < 0.45
    assert set(scored.loc[is_challenged, "challenger_version"]) == {challenger}
    assert scored.loc[~is_challenged, "challenger_version"].isna().all()
    assert (scored.loc[is_challenged, "challenger_score"] != scored.loc[is_challenged, "score"]).any()
    timeline = shop.table("model_timeline").sort_values("pinned_at")
    assert list(zip(timeline["role"], timeline["model_version"], strict=True)) == [
        ("champion", champion), ("challenger", challenger),
    ]  # fmt: skip


@pytest.mark.parametrize("habit", ["raises", "hangs", "dies"])
def test_challenger_that_fails_is_suspended_and_the_champion_goes_on(
    habit: str, spark: SparkSession, shop: Any, make_click: MakeClick, registry_uri: str,
    register_moody: Callable[..., str], register_booster: Callable[..., str],
) -> None:  # fmt: skip
    champion = register_booster(registry_uri, seed=1, name=f"patient_{habit}")
    challenger = register_moody(f"patient_{habit}", "challenger")
    shop.set(model={"uri": f"models:/patient_{habit}@champion", "registry": registry_uri, "trust": "pickle",
                    "challenger": f"models:/patient_{habit}@challenger", "challenger_share": 1.0,
                    "challenger_time_limit": "300 milliseconds"})  # fmt: skip
    land(shop, make_click, 2, price={"raises": -1.0, "hangs": -2.0, "dies": -4.0}[habit])
    seen = shop.run(spark)
    scored = shop.scored
    assert len(scored) == 40
    assert set(scored["model_version"]) == {champion}
    assert scored["score"].notna().all()
    assert scored["challenger_score"].isna().all()
    assert len(shop.rejected) == 0
    timeline = shop.table("model_timeline").sort_values("pinned_at")
    assert list(zip(timeline["from_batch"], timeline["role"], timeline["event"], strict=True)) == [
        (0, "champion", "scores"), (0, "challenger", "scores"), (0 if habit == "dies" else 1, "challenger", "benched"),
    ]  # fmt: skip
    assert f"patient_{habit} version {challenger} is suspended until a new version arrives" in seen


def test_challenger_that_is_not_there_is_no_obstacle(
    spark: SparkSession, shop: Any, make_click: MakeClick, registry_uri: str
) -> None:
    shop.set(model={"uri": "models:/small_model@champion", "registry": registry_uri,
                    "challenger": "models:/small_model@nobody-yet"})  # fmt: skip
    land(shop, make_click, 1)
    shop.run(spark)
    assert len(shop.scored) == 20
    assert shop.scored[["challenger_score", "challenger_version"]].isna().all(axis=None)
