"""The version behind an endpoint: inputs from the configuration or the example, and whatever version answers."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.support.endpoint import VERSION_HEADER, Gateway, Reply, gateway

from clickscore.config.model import Model
from clickscore.errors import ConfigError, ModelError, ModelNotFoundError, ModelUnavailableError, SignatureError
from clickscore.registry.endpoint_version import fetch_endpoint
from clickscore.registry.registry import fetch_current, fetch_version
from clickscore.registry.version import ModelVersion


@pytest.fixture
def endpoint() -> Iterator[Gateway]:
    with gateway() as running:
        running.mood = lambda number, body: Reply(body=b'{"predictions": [0.5]}')
        yield running


def fetched(endpoint: Gateway, folder: Path, **section: Any) -> ModelVersion:
    usual = {"name": "m", "version_header": VERSION_HEADER, "inputs": "price DOUBLE, n BIGINT, text STRING NOT NULL"}
    whole = {key: value for key, value in {**usual, **section}.items() if value is not None}
    tree = {"uri": f"endpoint:{endpoint.url}", "time_limit": "500 milliseconds", "endpoint": whole}
    return fetch_endpoint(Model.model_validate(tree), folder)


def test_version_is_what_the_header_says(endpoint: Gateway, tmp_path: Path) -> None:
    found = fetched(endpoint, tmp_path)
    assert (found.key, found.label, found.run_id) == (("m", "7"), "m version 7", None)
    assert found.is_remote
    assert found.doubts == []
    endpoint.version = "8/" + "x" * 300
    other = fetched(endpoint, tmp_path)
    assert other.version == endpoint.version
    assert other.digest != found.digest


def test_configured_version_stands_whatever_answers(endpoint: Gateway, tmp_path: Path) -> None:
    found = fetched(endpoint, tmp_path, version="autumn", version_header=None)
    assert found.key == ("m", "autumn")
    assert endpoint.requests == 1


def test_current_version_of_an_endpoint_is_fetched_from_it(endpoint: Gateway, tmp_path: Path) -> None:
    section = {"name": "m", "version_header": VERSION_HEADER, "inputs": "price DOUBLE"}
    config = Model.model_validate({"uri": f"endpoint:{endpoint.url}", "endpoint": section})
    assert fetch_current(config, tmp_path).key == ("m", "7")


def test_declared_inputs_are_those_of_the_model_and_numbers_that_pandas_cannot_miss_are_required(
    endpoint: Gateway, tmp_path: Path
) -> None:
    assert fetched(endpoint, tmp_path).inputs == pa.schema([
        pa.field("price", pa.float64()), pa.field("n", pa.int64(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
    ])  # fmt: skip
    outcome = {"score": 1.0, "reason": None, "model_version": "3"}
    endpoint.mood = lambda number, body: Reply(body=json.dumps({"outcomes": [outcome]}).encode())
    clicks = fetched(endpoint, tmp_path, payload="clicks", version_header=None)
    assert clicks.inputs.field("n").nullable
    assert clicks.version == "3"


ROWS: list[dict[str, Any]] = [{"price": 1, "text": "a", "flag": True}, {"price": None, "text": None, "flag": False}]
FORMS = [
    ROWS, ROWS[0], {"price": [1, None], "text": ["a", None], "flag": [True, False]}, {"dataframe_records": ROWS},
    {"inputs": ROWS}, {"dataframe_split": {"columns": list(ROWS[0]), "data": [list(row.values()) for row in ROWS]}},
]  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=lambda form: str(form)[:30])
def test_example_tells_inputs_and_is_what_is_asked(endpoint: Gateway, tmp_path: Path, form: Any) -> None:
    (tmp_path / "example.json").write_text(json.dumps(form))
    found = fetched(endpoint, tmp_path, inputs=None, example=str(tmp_path / "example.json"))
    assert found.inputs == pa.schema([
        pa.field("price", pa.float64()), pa.field("text", pa.string()), pa.field("flag", pa.bool_(), nullable=False),
    ])  # fmt: skip
    assert found.example is not None
    assert found.example[0].as_py() == {"price": 1.0, "text": "a", "flag": True}


@pytest.mark.parametrize(("text", "message"), [
    ("[]", "found no row"), ("5", "found no row"), ("{", "expected JSON rows in one of the forms dataframe_split"),
    ('{"columns": ["a"], "data": [[1, 2]]}', "expected JSON rows"),
])  # fmt: skip
def test_example_without_rows_is_refused(endpoint: Gateway, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "example.json").write_text(text)
    with pytest.raises(ConfigError, match=message):
        fetched(endpoint, tmp_path, example=str(tmp_path / "example.json"))


def test_example_that_does_not_tell_a_type_asks_for_it(endpoint: Gateway, tmp_path: Path) -> None:
    (tmp_path / "example.json").write_text('[{"price": null}]')
    with pytest.raises(SignatureError, match=r"price is empty; expected numbers.*model\.endpoint\.inputs"):
        fetched(endpoint, tmp_path, inputs=None, example=str(tmp_path / "example.json"))
    with pytest.raises(SignatureError, match="does not fit its signature"):
        fetched(endpoint, tmp_path, inputs="other DOUBLE", example=str(tmp_path / "example.json"))


@pytest.mark.parametrize(("inputs", "message"), [
    ("price DOUBEL", "model.endpoint.inputs: "), ("price", "model.endpoint.inputs: "),
    ("price DECIMAL(10,2)", "or a number that is no DECIMAL; price is DECIMAL"), ("tags ARRAY<STRING>", "tags is "),
])  # fmt: skip
def test_inputs_that_json_or_the_protocol_cannot_hold_are_refused(
    endpoint: Gateway, tmp_path: Path, inputs: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        fetched(endpoint, tmp_path, inputs=inputs)
    assert message in str(caught.value)


def test_endpoint_that_refuses_its_example_refuses_the_run(endpoint: Gateway, tmp_path: Path) -> None:
    endpoint.mood = lambda number, body: Reply(400, b'{"message": "missing inputs [country]"}')
    with pytest.raises(ModelError, match=r"refuses its example: HTTP 400: missing inputs.*model\.endpoint\.example"):
        fetched(endpoint, tmp_path)


def test_endpoint_that_does_not_let_the_run_in_refuses_it_and_one_that_is_away_may_come_back(
    endpoint: Gateway, tmp_path: Path
) -> None:
    endpoint.mood = lambda number, body: Reply(401, b"who are you?")
    with pytest.raises(ModelError, match=r"HTTP 401: who are you\?") as refused:
        fetched(endpoint, tmp_path)
    assert not isinstance(refused.value, ModelUnavailableError)
    endpoint.mood = lambda number, body: Reply(503, b"starting")
    with pytest.raises(ModelUnavailableError, match="HTTP 503: starting"):
        fetched(endpoint, tmp_path)


def test_no_other_version_is_fetched_from_an_endpoint(endpoint: Gateway, tmp_path: Path) -> None:
    section = {"name": "m", "version": "7", "inputs": "price DOUBLE"}
    config = Model.model_validate({"uri": f"endpoint:{endpoint.url}", "endpoint": section})
    with pytest.raises(ModelNotFoundError, match="m version 6: an endpoint answers with one version only"):
        fetch_version(config, "m", "6", tmp_path)


def test_token_is_looked_up_and_missing_it_is_told(
    endpoint: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"(?s)model\.endpoint\.token.*NO_SUCH_TOKEN is not set"):
        fetched(endpoint, tmp_path, token="env:NO_SUCH_TOKEN")
    monkeypatch.setenv("SOME_TOKEN", "s3cret\nof two lines")
    with pytest.raises(ConfigError, match=r"model\.endpoint\.token: expected a secret of printable ASCII") as caught:
        fetched(endpoint, tmp_path, token="env:SOME_TOKEN")
    assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("SOME_TOKEN", "s3cret")
    found = fetched(endpoint, tmp_path, token="env:SOME_TOKEN")
    assert endpoint.seen["Authorization"] == "Bearer s3cret"
    assert "s3cret" not in repr(found)
