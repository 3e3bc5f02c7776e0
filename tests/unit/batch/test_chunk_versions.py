from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clickscore.batch.chunk_versions import ChunkVersions
from clickscore.errors import BatchError, ModelError
from clickscore.registry.registry import fetch_version
from clickscore.storage.backfills import Chunk
from clickscore.storage.schemas import FIRST_CHUNK


@pytest.fixture
def versions(shop: Any, tmp_path: Path, register_booster: Callable[..., str], registry_uri: str) -> ChunkVersions:
    """Those of a job that was started with the second version of a model; ``told`` are its lines."""
    for seed in (1, 2):
        register_booster(registry_uri, seed=seed, name=tmp_path.name)
    shop.set(model={"uri": f"models:/{tmp_path.name}/2", "registry": registry_uri})
    current = fetch_version(shop.config.model, tmp_path.name, "2", tmp_path)
    scorer: Any = object
    return ChunkVersions(shop.config, current, tmp_path, lambda _: None, scorer, lambda _: None)


def chunk(number: int, name: str, version: str) -> Chunk:
    return Chunk(1, FIRST_CHUNK + number - 1, name, version, [])


def nothing(*_: Any) -> Any:
    raise AssertionError("no version is gone, so nobody asks")


def test_each_version_scores_the_chunks_that_are_planned_for_it_and_is_tried_once(versions: ChunkVersions) -> None:
    name, tried = versions.current.name, []
    versions.warm_up = lambda model: tried.append(model.version)
    left = [chunk(number, name, version) for number, version in enumerate("1212", 1)]
    assert versions.settle(left, nothing, nothing) == left
    found = [versions.of(each) for each in left]
    assert [model.version for model, _ in found] == ["1", "2", "1", "2"]
    assert found[0][1] is found[2][1]  # what counts the failures of the first version
    assert found[0][1] is not found[1][1]
    assert tried == ["1"]  # the current one has been


def test_only_versions_that_are_gone_are_replaced_and_only_for_chunks_without_scores(versions: ChunkVersions) -> None:
    name, told = versions.current.name, []
    versions.tell = told.append
    left = [chunk(1, name, "77"), chunk(2, name, "77"), chunk(3, name, "1")]
    settled = versions.settle(
        left,
        lambda chunks: {FIRST_CHUNK} & {each.batch_id for each in chunks},
        lambda chunks, key: [chunk(each.number, *key) for each in chunks],
    )
    assert [(each.number, each.model_version) for each in settled] == [(1, "77"), (2, "2"), (3, "1")]
    assert [versions.of(each)[0].version for each in settled] == ["2", "2", "1"]
    assert [line.partition(" is no longer in the registry. ")[0] for line in told] == [f"{name} version 77"] * 2


def test_version_that_may_work_again_is_not_replaced(
    versions: ChunkVersions, shop: Any, registry_uri: str, tmp_path: Path
) -> None:
    def refused() -> str:
        left = [chunk(3, tmp_path.name, "1")]
        assert versions.settle(left, nothing, nothing) == left
        with pytest.raises(BatchError) as error:
            versions.of(left[0])
        return str(error.value)

    where = f"chunk 3, which is batch {FIRST_CHUNK + 2}: expected {tmp_path.name} version 1, for which it was planned"

    before = versions.config
    only = {"names": ["small_model"]}
    shop.set(model={"uri": "models:/small_model@champion", "registry": registry_uri, "allow": only})
    versions.config = shop.config
    assert f"model.allow.names does not have {tmp_path.name}" in refused()

    versions.config = before

    def fail(_: Any) -> None:
        raise ModelError("it has no legs.")

    versions.warm_up = fail
    assert refused().startswith(f"{where}, found that it cannot be used: it has no legs. Chunks before it are done.")

    features = tmp_path / "features.sql"
    features.write_text("SELECT price * 2.0 AS double_price FROM click\n")
    shop.set(features=str(features))
    versions.config = shop.config
    assert "quantity" in refused()
