"""The champion in this process: which version serves, and when, with a real registry."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from mlflow import MlflowClient
from tests.support.models import register_booster
from tests.support.poison import GATE, register_poison
from tests.support.shop import Shop

from clickscore.errors import ModelNotFoundError, SignatureError, UntrustedModelError
from clickscore.registry.registry import Registry
from clickscore.scoring.contract import read_contract
from clickscore.scoring.features import read_features
from clickscore.service.champion import Champion, as_items

Tamper = Callable[[str, str], None]


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def start(shop: Shop, registry_uri: str, tmp_path: Path, told: list[str]) -> Callable[..., Champion]:
    """Return the champion of a registered model; nothing is fetched yet."""

    def build(name: str, **model: Any) -> Champion:
        shop.set(model={"uri": f"models:/{name}@champion", "registry": registry_uri, **model})
        config = shop.config
        contract = read_contract(config.click.ddl, config.click.id, config.click.time, config.click.visitor)
        features = read_features(config.features, contract.click)
        (tmp_path / "models").mkdir(exist_ok=True)
        return Champion(config.model, contract, features, 1.0, tmp_path / "models", told.append)

    return build


def tamper(registry_uri: str, name: str, version: str) -> None:
    place = MlflowClient(registry_uri, registry_uri).get_model_version_download_uri(name, version)
    [file] = Path(place.removeprefix("file://")).rglob("model.lgb")
    file.write_text(file.read_text().replace("leaf_value=", "leaf_value=9", 1))


def version_of(champion: Champion) -> str | None:
    return champion.serving.version if champion.serving else None


CLICK = b'{"id": "c1", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 10, "quantity": 1}'


def test_no_version_serves_before_it_has_passed_its_trial(
    start: Callable[..., Champion], registry_uri: str, told: list[str]
) -> None:
    register_booster(registry_uri, 1, "first")
    champion = start("first")
    assert champion.serving is None
    champion.begin()
    assert (version_of(champion), told) == ("1", [])
    [item] = champion.score([CLICK])
    assert (item["verdict"], item["model_name"], item["model_version"]) == ("scored", "first", "1")


def test_version_that_the_alias_moves_to_serves_and_files_of_old_ones_go(
    start: Callable[..., Champion], registry_uri: str, tmp_path: Path, told: list[str]
) -> None:
    for seed in (1, 2, 3):
        register_booster(registry_uri, seed, "moving")
    champion, scores = start("moving"), []
    champion.begin()
    for version in ("2", "3", "2"):
        Registry(registry_uri).set_alias("moving", "champion", version)
        champion.poll()
        assert version_of(champion) == version
        scores.append(champion.score([CLICK])[0]["score"])
    assert scores[0] == scores[2] != scores[1]
    assert sorted(folder.name for folder in (tmp_path / "models").iterdir()) == ["moving-2", "moving-3"]
    assert told[0] == "moving version 2 is ready: models:/moving@champion has moved from version 1"
    assert champion.refused == 0


def test_tampered_version_never_serves(start: Callable[..., Champion], registry_uri: str, told: list[str]) -> None:
    register_booster(registry_uri, 1, "attacked")
    champion = start("attacked")
    champion.begin()
    before = champion.score([CLICK])
    second = register_booster(registry_uri, 2, "attacked")
    tamper(registry_uri, "attacked", second)
    Registry(registry_uri).set_alias("attacked", "champion", second)
    champion.poll()
    champion.poll()
    assert (version_of(champion), champion.refused, champion.score([CLICK])) == ("1", 1, before)
    [line] = told
    assert "attacked version 2 is refused, attacked version 1 stays: " in line
    assert "the files are not those that were registered" in line


def test_version_that_hangs_in_its_trial_is_refused_and_the_next_one_is_not(
    start: Callable[..., Champion], registry_uri: str, told: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    register_poison(registry_uri, "hanging")
    champion = start("hanging", trust="pickle", time_limit="1 second")
    champion.begin()
    gate = tmp_path / "gate"
    second = register_poison(registry_uri, "hanging")
    gate.touch()
    monkeypatch.setenv(GATE, str(gate))  # from now on, no version answers
    champion.poll()
    assert (version_of(champion), champion.refused) == ("1", 1)
    assert f"hanging version {second} is refused" in told[-1]
    assert "it needs more than 1 s for its input example" in told[-1]
    gate.unlink()
    monkeypatch.delenv(GATE)
    third = register_poison(registry_uri, "hanging")
    champion.poll()
    assert version_of(champion) == third


def test_wrong_model_stops_the_start(start: Callable[..., Champion], registry_uri: str, shop: Shop) -> None:
    with pytest.raises(ModelNotFoundError, match="has no model nobody"):
        start("nobody").begin()
    tamper(registry_uri, "tampered_first", register_booster(registry_uri, 1, "tampered_first"))
    with pytest.raises(UntrustedModelError):
        start("tampered_first").begin()
    (shop.home / "features.sql").write_text("SELECT price FROM click")
    shop.set(features=str(shop.home / "features.sql"))
    register_booster(registry_uri, 1, "unfit")
    with pytest.raises(SignatureError, match="missing: double_price DOUBLE"):
        start("unfit").begin()


def test_items_have_every_score_column_and_the_reason(start: Callable[..., Champion], registry_uri: str) -> None:
    register_booster(registry_uri, 1, "plain")
    serving = start("plain").begin()
    outcomes = serving.scorer.score(pa.array([CLICK, b"{", None], pa.binary()))
    scored, malformed, nothing = as_items(outcomes, serving)
    assert list(scored) == ["verdict", "score", "reason", "detail", "model_name", "model_version"]
    assert scored["score"] == outcomes.field("score")[0].as_py()
    assert (malformed["verdict"], malformed["score"], malformed["reason"]) == ("rejected", None, "malformed_json")
    assert nothing["reason"] == "tombstone"
