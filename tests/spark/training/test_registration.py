from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

from clickscore.config.model import Allow
from clickscore.registry.registry import Registry


def test_version_is_registered_with_what_it_is(
    registry_uri: str, tmp_path: Path, register_booster: Callable[..., str]
) -> None:
    version = register_booster(registry_uri, seed=1, name="registered")
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    tags = client.get_model_version("registered", version).tags
    assert tags["clickscore.digest"] == Registry(registry_uri).fetch("registered", version, tmp_path, Allow()).digest
    assert tags["clickscore.answers"].startswith("[0.")


def test_only_the_first_version_of_a_model_gets_the_alias(
    registry_uri: str, register_booster: Callable[..., str]
) -> None:
    first = register_booster(registry_uri, seed=1, name="first_come")
    register_booster(registry_uri, seed=2, name="first_come")
    assert Registry(registry_uri).resolve("models:/first_come@champion") == ("first_come", first)


def test_files_lie_beside_a_registry_that_is_a_file(registry_uri: str, register_booster: Callable[..., str]) -> None:
    version = register_booster(registry_uri, seed=1, name="beside")
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    place = client.get_model_version_download_uri("beside", version).removeprefix("file://")
    assert Path(place).is_relative_to(Path(registry_uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts")
