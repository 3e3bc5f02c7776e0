from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

from clickscore.config.model import Allow, Model
from clickscore.errors import ModelError, ModelNotFoundError, SignatureError, UntrustedModelError
from clickscore.registry.registry import Registry, fetch_version, redacted

MODEL = "small_model"


def test_alias_and_version_resolve_to_the_same_version(registry_uri: str) -> None:
    registry = Registry(registry_uri)
    assert registry.resolve(f"models:/{MODEL}@champion") == registry.resolve(f"models:/{MODEL}/1") == (MODEL, "1")


def test_only_the_first_version_gets_the_alias(registry_uri: str) -> None:
    assert Registry(registry_uri).has_alias(MODEL, "champion")
    assert not Registry(registry_uri).has_alias(MODEL, "nobody")
    assert not Registry(registry_uri).has_alias("no_model", "champion")


def test_missing_alias_lists_those_that_exist(registry_uri: str) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        Registry(registry_uri).resolve(f"models:/{MODEL}@chmpion")
    assert f"there is no models:/{MODEL}@chmpion" in str(caught.value)
    assert "@champion (version 1)" in str(caught.value)


def test_missing_version_lists_those_that_exist(registry_uri: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"there is no models:/small_model/77.*versions: 1"):
        Registry(registry_uri).resolve(f"models:/{MODEL}/77")


def test_missing_model_lists_those_that_exist(registry_uri: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"has no model other; it has .*small_model"):
        Registry(registry_uri).resolve("models:/other@champion")


def test_missing_database_is_named_and_not_created(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"no such file: .*none\.db"):
        Registry(f"sqlite:///{tmp_path}/none.db")
    assert not (tmp_path / "none.db").exists()


def test_fetched_version_knows_its_inputs_and_digest(registry_uri: str, tmp_path: Path) -> None:
    model = Registry(registry_uri).fetch(MODEL, "1", tmp_path / "a", Allow())
    assert model.inputs == pa.schema([("double_price", pa.float64()), ("quantity", pa.float64())])
    assert model.digest == Registry(registry_uri).fetch(MODEL, "1", tmp_path / "b", Allow()).digest
    assert len(model.digest) == 64
    assert model.run_id
    assert model.is_pinned
    assert model.kind == "lightgbm"
    assert model.example is not None
    assert len(model.answers) == len(model.example) == 2


def test_model_without_signature_is_refused(registry_uri: str, tmp_path: Path) -> None:
    classifier = LogisticRegression().fit(np.array([[0.0], [1.0]]), [0, 1])
    mlflow.set_tracking_uri(registry_uri)
    mlflow.set_registry_uri(registry_uri)
    mlflow.set_experiment(MODEL)
    with mlflow.start_run():
        mlflow.sklearn.log_model(classifier, name="model", registered_model_name="unsigned", pip_requirements=[])
    with pytest.raises(SignatureError, match="unsigned version 1 has no signature of named columns"):
        Registry(registry_uri).fetch("unsigned", "1", tmp_path, Allow())


def test_whole_numbers_are_required_as_pandas_cannot_leave_them_out(registry_uri: str, tmp_path: Path) -> None:
    features = pd.DataFrame({"n": [1, 2], "x": [0.5, None]})
    signature = mlflow.models.infer_signature(features, np.array([0.1, 0.2]))
    classifier = LogisticRegression().fit(features.fillna(0.0), [0, 1])
    mlflow.set_tracking_uri(registry_uri)
    mlflow.set_registry_uri(registry_uri)
    mlflow.set_experiment(MODEL)
    with mlflow.start_run():
        mlflow.sklearn.log_model(classifier, name="model", signature=signature, registered_model_name="whole",
                                 pip_requirements=[])  # fmt: skip
    inputs = Registry(registry_uri).fetch("whole", "1", tmp_path, Allow()).inputs
    assert [(field.name, field.nullable) for field in inputs] == [("n", False), ("x", True)]


def test_registry_that_does_not_answer_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ModelError, match="does not answer") as caught:
        Registry("http://me:secret@127.0.0.1:9").resolve("models:/m@champion")
    assert "secret" not in str(caught.value)


def test_version_whose_files_are_gone_is_told(registry_uri: str, tmp_path: Path) -> None:
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    client.create_registered_model("hollow")
    client.create_model_version("hollow", source=f"file://{tmp_path}/nothing")
    with pytest.raises(ModelError, match="hollow version 1 is registered, but its files cannot be fetched"):
        Registry(registry_uri).fetch("hollow", "1", tmp_path / "fetched", Allow())


def test_no_password_is_printed() -> None:
    assert redacted("postgresql://me:secret@db/mlflow") == "postgresql://***@db/mlflow"
    assert "secret" not in redacted("https://secret@host/x")


def test_aliases_are_read_anew_each_time(registry_uri: str) -> None:
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    client.set_registered_model_alias(MODEL, "moving", "1")
    assert Registry(registry_uri).resolve(f"models:/{MODEL}@moving") == (MODEL, "1")
    client.delete_registered_model_alias(MODEL, "moving")
    with pytest.raises(ModelNotFoundError):
        Registry(registry_uri).resolve(f"models:/{MODEL}@moving")


def test_changed_file_is_refused(registry_uri: str, tmp_path: Path, register_booster: Callable[..., str]) -> None:
    version = register_booster(registry_uri, seed=5, name="tampered")
    registry = Registry(registry_uri)
    registry.fetch("tampered", version, tmp_path / "before", Allow())
    [stored] = tampered_files(registry_uri, "tampered", version)
    stored.write_text(stored.read_text().replace("leaf_value=", "leaf_value=9"))
    with pytest.raises(UntrustedModelError, match="tampered version 1: the files are not those that were registered"):
        registry.fetch("tampered", version, tmp_path / "after", Allow())


def test_swapped_artifact_is_refused(registry_uri: str, tmp_path: Path, register_booster: Callable[..., str]) -> None:
    first = register_booster(registry_uri, seed=6, name="exchanged")
    second = register_booster(registry_uri, seed=7, name="exchanged")
    [mine], [other] = (tampered_files(registry_uri, "exchanged", version) for version in (first, second))
    mine.write_bytes(other.read_bytes())
    with pytest.raises(UntrustedModelError, match=f"exchanged version {first}: the files are not those"):
        Registry(registry_uri).fetch("exchanged", first, tmp_path, Allow())
    assert Registry(registry_uri).fetch("exchanged", second, tmp_path, Allow()).version == second


def tampered_files(registry_uri: str, name: str, version: str) -> list[Path]:
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    place = client.get_model_version_download_uri(name, version).removeprefix("file://")
    return list(Path(place).glob("model.lgb"))


def test_version_that_somebody_else_has_registered_can_be_pinned_later(
    registry_uri: str, tmp_path: Path, register_classifier: Callable[..., None]
) -> None:
    features = pd.DataFrame({"double_price": [1.0, 2.0], "quantity": [1.0, 2.0]})
    register_classifier(registry_uri, features, "foreign")
    registry = Registry(registry_uri)
    assert not registry.fetch("foreign", "1", tmp_path / "a", Allow()).is_pinned
    pinned = registry.fetch("foreign", "1", tmp_path / "a", Allow()).digest
    registry.pin("foreign", "1", pinned, [0.5])
    found = registry.fetch("foreign", "1", tmp_path / "b", Allow())
    assert (found.is_pinned, found.digest, found.answers) == (True, pinned, (0.5,))


def test_version_that_is_gone_is_not_taken_for_one_that_cannot_be_reached(registry_uri: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="small_model version 77 is no longer in the registry"):
        Registry(registry_uri).fetch(MODEL, "77", tmp_path, Allow())


def test_only_allowed_names_are_fetched(registry_uri: str, tmp_path: Path) -> None:
    config = Model(uri="models:/small_model@champion", registry=registry_uri, allow=Allow(names=("small_model",)))
    assert fetch_version(config, MODEL, "1", tmp_path).version == "1"
    with pytest.raises(UntrustedModelError, match=r"model\.allow\.names does not have other"):
        fetch_version(config, "other", "1", tmp_path)


def test_description_that_cannot_be_read_is_the_models_fault(
    registry_uri: str, tmp_path: Path, register_booster: Callable[..., str]
) -> None:
    version = register_booster(registry_uri, seed=8, name="scrawled")
    client = MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    client.set_model_version_tag("scrawled", version, "clickscore.answers", "[0.5, ")
    with pytest.raises(ModelError, match="scrawled version 1: its description cannot be read"):
        Registry(registry_uri).fetch("scrawled", version, tmp_path, Allow())
