"""The protocols of endpoints: inputs become the body of a request, and the body of an answer becomes predictions.

Three forms are those of MLflow's scoring server, which others speak as well: ``dataframe_split``,
``dataframe_records`` and ``inputs``. The fourth, ``clicks``, is that of ``jobs/serve.py``: raw clicks, and an outcome
for each.
"""

from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clickscore.config.endpoint import CLICKS, Payload
from clickscore.errors import ModelUnavailableError
from clickscore.scoring.isolation import MAX_DETAIL

REFUSED = (400, 413, 422)
"""Statuses that say that something is wrong with what was sent; half of it may be right, or small enough."""
_PASSING = (408, 421, 425, 429)
"""Statuses below 500 that say to try again."""
_ANSWERED = 200
_LOOKUP = "look at model.uri, model.endpoint.token and model.endpoint.payload"


class RefusedError(Exception):
    """Raised when the endpoint, or JSON, does not take some clicks; as if a model in memory had raised."""


class MisconfiguredError(ModelUnavailableError):
    """Raised when the endpoint answers in a way that another try within seconds will not change."""


class AwayError(ModelUnavailableError):
    """Raised when the endpoint does not answer, or answers that it cannot now.

    Attributes:
        wait_s: how long it asks to wait.
    """

    def __init__(self, cause: str, wait_s: float = 0.0) -> None:
        """Keep cause and wait."""
        super().__init__(cause)
        self.wait_s = wait_s


class Answer(NamedTuple):
    """What an endpoint has answered.

    Attributes:
        prediction: whatever it predicts, as a model in memory returns it.
        version: the version that it names, if it does so in its body.
    """

    prediction: Any
    version: str | None = None


def encode(payload: Payload, inputs: pa.StructArray) -> bytes:
    """Return the body of a request.

    Args:
        payload: its form.
        inputs: of the model, one struct for each click.

    Returns:
        JSON: numbers with all their digits, times in ISO 8601, null for null and NaN.

    Raises:
        RefusedError: if a number is infinite, which JSON cannot hold.
    """
    names = inputs.type.names
    columns = [_values(field, column, payload) for field, column in zip(inputs.type, inputs.flatten(), strict=True)]
    rows = zip(*columns, strict=True)
    if payload == "dataframe_split":
        body: Any = {payload: {"columns": names, "data": list(rows)}}
    elif payload == CLICKS:
        body = [dict(zip(names, row, strict=True)) for row in rows]
    else:  # MLflow reads ``inputs`` by column as arrays, in which a null makes numbers objects; rows it reads as rows
        body = {payload: [dict(zip(names, row, strict=True)) for row in rows]}
    encoded: bytes = msgspec.json.encode(body)
    return encoded


def _values(field: pa.Field, column: pa.Array, payload: Payload) -> list[Any]:
    if pa.types.is_floating(column.type) and pc.any(pc.is_inf(column)).as_py():
        raise RefusedError(f"{field.name} is infinite, and JSON has no such number")
    if pa.types.is_timestamp(column.type):
        # A signature of MLflow has times without a zone; ours asks for the zone, as a click has it.
        times = column.cast(pa.timestamp("us", column.type.tz), safe=False).to_pylist()
        ending = "Z" if payload == CLICKS else ""
        return [time and time.replace(tzinfo=None).isoformat(timespec="microseconds") + ending for time in times]
    values: list[Any] = column.to_pylist()
    return values


def decode(payload: Payload, status: int, body: bytes, wait_s: float = 0.0) -> Answer:
    """Return what an endpoint has answered.

    Args:
        payload: the form of the request.
        status: HTTP status.
        body: of the answer.
        wait_s: how long it asks to wait, if it does.

    Raises:
        RefusedError: if the endpoint does not take the clicks, or one of them.
        AwayError: if it says that it cannot answer now.
        MisconfiguredError: if it refuses to talk, or the answer does not belong to the protocol.
    """
    if status in REFUSED:
        raise RefusedError(f"HTTP {status}: {_words(body)}")
    if status >= 500 or status in _PASSING:
        raise AwayError(f"it answers HTTP {status}: {_words(body)}", wait_s)
    if status != _ANSWERED:
        raise MisconfiguredError(f"expected HTTP 200, found HTTP {status}: {_words(body)}; {_LOOKUP}")
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        content = _with_odd_numbers(body)
    key = "outcomes" if payload == CLICKS else "predictions"
    if not isinstance(content, dict) or key not in content:
        raise MisconfiguredError(f"expected JSON with {key}, found {_words(body)}; {_LOOKUP}")
    return _scores(content[key]) if payload == CLICKS else Answer(content[key])


def _with_odd_numbers(body: bytes) -> Any:
    """Read JSON as Python writes it, with NaN and Infinity, such as that of MLflow; None if it is none."""
    import json

    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _scores(outcomes: Any) -> Answer:
    """Return the scores of the service's outcomes.

    Raises:
        RefusedError: if it has rejected a click.
        MisconfiguredError: if the outcomes are not those of the service, or of two versions.
    """
    try:
        for outcome in outcomes:
            if outcome["reason"]:
                raise RefusedError(f"{outcome['reason']}: {outcome['detail']}")
        versions = {str(outcome["model_version"]) for outcome in outcomes}
        scores = [
            {name: value for name, value in outcome.items() if isinstance(value, float | int)} for outcome in outcomes
        ]
    except (TypeError, KeyError, AttributeError):
        raise MisconfiguredError(f"expected outcomes of jobs/serve.py; {_LOOKUP}") from None
    if len(versions) > 1:
        raise MisconfiguredError(f"one answer is of several versions: {', '.join(sorted(versions))}")
    return Answer(scores, *versions)


def _words(body: bytes) -> str:
    """Return the beginning of an answer in one line; of a JSON object, its message."""
    text = body[: 8 * MAX_DETAIL].decode("utf-8", "replace")
    content = _with_odd_numbers(body)
    if isinstance(content, dict):
        text = str(content.get("message") or content.get("detail") or text)
    return " ".join(text.split())[:MAX_DETAIL] or "an empty answer"


def zeros(inputs: pa.Schema) -> pa.StructArray:
    """Return a click about which nothing is known: null, and nought where null is not taken."""
    arrays = [
        pa.nulls(1, field.type) if field.nullable else pa.array(np.zeros(1, "int8")).cast(pa.int64()).cast(field.type)
        for field in inputs
    ]
    return pa.StructArray.from_arrays(arrays, inputs.names)
