"""The version behind an endpoint: its inputs as configured, and whatever version answers now."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from clickscore.config.endpoint import CLICKS, Endpoint
from clickscore.config.model import ENDPOINT, Model
from clickscore.config.secrets import resolve
from clickscore.config.text_file import read_text
from clickscore.endpoint.client import Client, Connection
from clickscore.endpoint.payloads import MisconfiguredError, RefusedError, zeros
from clickscore.errors import ConfigError, ModelError, SignatureError
from clickscore.registry.trust import digest
from clickscore.registry.version import ModelVersion, as_frame, as_inputs
from clickscore.scoring.ddl import DdlError, read_fields
from clickscore.scoring.feature_engine import sql_type

KIND = "endpoint"
"""How such a version is fed: over HTTP."""
_WHERE, _TOKEN = "the configuration", "model.endpoint.token"
_FORMS = ("dataframe_split", "dataframe_records", "inputs")
"""Keys of MLflow's forms, one of which an example may have around its rows."""


def fetch_endpoint(config: Model, folder: Path) -> ModelVersion:
    """Ask the endpoint of the configuration for its example, and return the version that answers.

    Args:
        config: the model section, whose ``uri`` is an endpoint.
        folder: where a description of the version goes; there are no other files of it.

    Raises:
        ConfigError: if inputs, example or token cannot be used.
        ModelUnavailableError: if the endpoint is away.
        ModelError: if it refuses the example, or does not speak the protocol.
    """
    endpoint = config.endpoint
    assert endpoint, "the configuration makes sure of it"
    rows = _read_rows(endpoint.example) if endpoint.example else None
    inputs = _inputs(endpoint, rows)
    example = as_inputs(rows, inputs, f"the example {endpoint.example}") if rows is not None else zeros(inputs)
    connection = Connection(
        url=config.uri.removeprefix(ENDPOINT),
        payload=endpoint.payload,
        version_header=endpoint.version_header,
        rows=endpoint.rows,
        concurrency=endpoint.concurrency,
        attempt_s=config.time_limit_ms / 1000,
        deadline_s=endpoint.deadline_ms / 1000,
        token=_token(endpoint.token) if endpoint.token else None,
    )
    impatient = replace(connection, deadline_s=connection.attempt_s)  # whoever starts is patient already
    answered = version_now(Client(impatient), example)
    return _describe(endpoint.name, endpoint.version or answered, inputs, connection, example, folder)


def _token(reference: str) -> str:
    token = resolve(reference, _TOKEN)
    if not (token and token.isascii() and token.isprintable()):
        # What a header cannot hold, the HTTP client would quote in its error.
        raise ConfigError(_WHERE, [f"{_TOKEN}: expected a secret of printable ASCII characters in one line"])
    return token


def version_now(client: Client, example: pa.StructArray) -> str:
    """Return the version that answers an endpoint's example now; an empty text if it names none.

    Raises:
        ModelUnavailableError: if the endpoint is away.
        ModelError: if it refuses the example, or does not speak the protocol.
    """
    try:
        return client.ask(example).version or ""
    except MisconfiguredError as error:
        raise ModelError(f"model.uri: {error}") from None
    except RefusedError as error:
        raise ModelError(
            f"model.uri: {client.label} refuses its example: {error}. Correct model.endpoint.inputs, or give it an "
            f"example that it can score in model.endpoint.example"
        ) from None


def another(model: ModelVersion, version: str, folder: Path) -> ModelVersion:
    """Return another version behind the same endpoint."""
    assert model.connection, "it is behind an endpoint"
    assert model.example is not None, "there is always one"
    return _describe(model.name, version, model.inputs, model.connection, model.example, folder)


def _describe(
    name: str, version: str, inputs: pa.Schema, connection: Connection, example: pa.StructArray, folder: Path
) -> ModelVersion:
    # Not the address, so that a service may move: a version is what its owner calls so.
    description = json.dumps({"name": name, "version": version}).encode()
    place = folder / hashlib.sha256(description).hexdigest()  # a header may name a version that no file can have
    place.mkdir(parents=True, exist_ok=True)
    (place / "endpoint.json").write_bytes(description)
    return ModelVersion(
        name, version, None, digest(place), inputs, place, KIND, is_pinned=True, example=example, connection=connection
    )


def _inputs(endpoint: Endpoint, rows: pd.DataFrame | None) -> pa.Schema:
    """Return what the model asks for, as the configuration says, or else as the example shows."""
    if endpoint.inputs:
        try:
            fields, problems = read_fields(endpoint.inputs)
        except DdlError as error:
            raise ConfigError(_WHERE, [f"model.endpoint.inputs: {error}"]) from None
        problems += [f"{field.name} is {sql_type(field.type)}" for field in fields if not _is_plain(field.type)]
        if problems:
            plain = "STRING, BOOLEAN, TIMESTAMP, or a number that is no DECIMAL"
            raise ConfigError(_WHERE, [f"model.endpoint.inputs: expected {plain}; {each}" for each in problems])
    else:
        assert rows is not None, "the configuration makes sure of it"
        fields = pa.schema([(str(name), _type_of(str(name), rows[name])) for name in rows.columns])
    # MLflow reads rows with pandas, which has no whole number or boolean that is absent.
    strict = endpoint.payload != CLICKS
    return pa.schema([
        pa.field(field.name, field.type, field.nullable and not (strict and _is_never_null(field.type)))
        for field in fields
    ])  # fmt: skip


def _is_plain(type_: pa.DataType) -> bool:
    kinds = (pa.types.is_string, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_timestamp)
    return any(is_kind(type_) for is_kind in kinds)


def _is_never_null(type_: pa.DataType) -> bool:
    return bool(pa.types.is_integer(type_) or pa.types.is_boolean(type_))


def _type_of(name: str, column: Any) -> pa.DataType:
    kind = pd.api.types.infer_dtype(column, skipna=True)
    types = {"boolean": pa.bool_(), "string": pa.string()}
    types |= dict.fromkeys(("integer", "floating", "mixed-integer-float"), pa.float64())
    if kind not in types:
        raise SignatureError(
            f"model.endpoint.example: {name} is {kind}; expected numbers, texts or booleans. Declare the types in "
            f"model.endpoint.inputs"
        )
    return types[kind]


def _read_rows(file: Path) -> pd.DataFrame:
    """Return the rows of an example: a list of objects, an object of lists, or either in one of MLflow's forms."""
    problem = f"model.endpoint.example: {file}: expected JSON rows in one of the forms {', '.join(_FORMS)}"
    try:
        content = json.loads(read_text(file))
        for form in _FORMS:
            content = content[form] if isinstance(content, dict) and list(content) == [form] else content
        if isinstance(content, dict) and set(content) == {"columns", "data"}:
            rows: pd.DataFrame | None = pd.DataFrame(content["data"], columns=content["columns"])
        else:
            rows = as_frame(content, list(content) if isinstance(content, dict) else [])
    except (ValueError, TypeError) as error:
        raise ConfigError(_WHERE, [f"{problem}; {error}"]) from None
    if rows is None or rows.empty:
        raise ConfigError(_WHERE, [f"{problem}; found no row"])
    return rows
