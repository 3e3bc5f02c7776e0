"""The endpoint section, and what of the model section an endpoint has no use for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.jobs import Done

from clickscore.config.model import Model
from clickscore.config.run import load
from clickscore.errors import ConfigError

LOCAL = Path("conf/local.yaml")
URI = "endpoint:http://models.example.com:8000/invocations"


def model(uri: str = URI, endpoint: dict[str, Any] | None = None, **settings: Any) -> Model:
    section = {"name": "m", "version": "7", "inputs": "price DOUBLE"} if endpoint is None else endpoint
    tree = {"uri": uri, **({"endpoint": section} if section else {}), **settings}
    return load(LOCAL, [f"model={tree}"]).model


def test_name_version_and_inputs_are_enough() -> None:
    found = model().endpoint
    assert found
    assert (found.payload, found.rows, found.concurrency, found.deadline_ms) == ("dataframe_split", 1_000, 2, 30_000)


@pytest.mark.parametrize(("changes", "message"), [
    ({"version": None}, "model.endpoint: name the version: version_header"),
    ({"version_header": "X-V"}, "model.endpoint: name the version: version_header"),
    ({"payload": "clicks"}, "with payload: clicks the answers name the version; remove version and version_header"),
    ({"inputs": None}, "expected inputs, what the model asks for, or an example to read that from; found neither"),
    ({"payload": "csv"}, "model.endpoint.payload: input should be"),
    ({"token": "s3cret"}, "model.endpoint.token: expected a reference to a secret"),
    ({"rows": 0}, "model.endpoint.rows: input should be greater than 0"),
    ({"example": "nowhere.json"}, "model.endpoint.example: no such file: nowhere.json"),
    ({"versoin": "7"}, "model.endpoint.versoin: unknown key; did you mean version?"),
])  # fmt: skip
def test_wrong_value_is_told_with_its_place(changes: dict[str, Any], message: str) -> None:
    section = {"name": "m", "version": "7", "inputs": "price DOUBLE", **changes}
    with pytest.raises(ConfigError) as caught:
        model(endpoint={key: value for key, value in section.items() if value is not None})
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_what_only_registered_models_have_is_refused_all_at_once() -> None:
    settings: dict[str, Any] = {
        "registry": "sqlite:///x",
        "challenger": "models:/m@c",
        "trust": "pickle",
        "poll": "3 seconds",
    }
    with pytest.raises(ConfigError, match="registry, poll, trust, allow, challenger: only for registered models"):
        model(allow={"names": ["m"]}, **settings)


def test_uri_and_section_go_together() -> None:
    with pytest.raises(ConfigError, match="model: endpoint is missing"):
        model(endpoint={})
    with pytest.raises(ConfigError, match="models:/m@champion is a registered model; remove the section"):
        model("models:/m@champion", registry="sqlite:///x")
    with pytest.raises(ConfigError, match="model: registry is missing"):
        model("models:/m@champion", endpoint={})


@pytest.mark.parametrize("address", ["http://me:s3cret@host/x", "http://host/x?key=s3cret", "ftp://host", "http://"])
def test_address_with_something_that_may_be_a_secret_is_refused_unquoted(address: str) -> None:
    with pytest.raises(ConfigError, match="or endpoint:https://<host>/<path>, found an endpoint with") as caught:
        model(f"endpoint:{address}")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(("job", "arguments"), [
    ("serve", ()), ("train_model", ()), ("export_model", ("--out", "exported")), ("promote_model", ()),
    ("promote_model", ("--rollback",)), ("promote_model", ("--pin", "models:/m/1")),
])  # fmt: skip
def test_job_that_needs_a_registered_model_refuses_an_endpoint(
    run_job: Callable[..., Done], tmp_path: Path, job: str, arguments: tuple[str, ...]
) -> None:
    run = yaml.safe_load(LOCAL.read_text())
    run["model"] = {"uri": URI, "endpoint": {"name": "m", "version": "7", "inputs": "price DOUBLE"}}
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(run))
    done = run_job(job, "--config", str(tmp_path / "run.yaml"), *arguments)
    assert done.status == 2
    said = " ".join(done.err.split())
    assert f"model.uri: jobs/{job}.py needs a model of a registry, models:/<name>@<alias>" in said
    assert f"found {URI}, whose files and versions only its owner has" in said
