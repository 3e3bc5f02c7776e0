"""Inputs become requests and answers become predictions, or the error that says whose fault it is."""

import json
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pytest

from clickscore.config.endpoint import Payload
from clickscore.endpoint.payloads import AwayError, MisconfiguredError, RefusedError, decode, encode, zeros
from clickscore.errors import ModelUnavailableError

NOON = datetime(2026, 3, 1, 12, 0, 0, 250_000, timezone.utc)
INPUTS = pa.StructArray.from_arrays(
    [
        pa.array([0.1, None, float("nan")]), pa.array([1, 2, 3], pa.int64()), pa.array(["ä", None, ""]),
        pa.array([True, False, True]), pa.array([NOON, None, NOON], pa.timestamp("ns", "UTC")),
    ],
    ["price", "n", "text", "flag", "at"],
)  # fmt: skip
TIME = "2026-03-01T12:00:00.250000"
ROWS: list[list[Any]] = [[0.1, 1, "ä", True, TIME], [None, 2, None, False, None], [None, 3, "", True, TIME]]
NAMES: list[str] = INPUTS.type.names
RECORDS: list[dict[str, Any]] = [dict(zip(NAMES, row, strict=True)) for row in ROWS]


@pytest.mark.parametrize(("payload", "body"), [
    ("dataframe_split", {"dataframe_split": {"columns": NAMES, "data": ROWS}}),
    ("dataframe_records", {"dataframe_records": RECORDS}),
    ("inputs", {"inputs": RECORDS}),
    ("clicks", [{**record, "at": record["at"] and f"{record['at']}Z"} for record in RECORDS]),
])  # fmt: skip
def test_inputs_are_written_in_each_form(payload: Payload, body: Any) -> None:
    assert json.loads(encode(payload, INPUTS)) == body


def test_number_keeps_all_its_digits() -> None:
    number = 0.1 + 0.2
    body = json.loads(encode("dataframe_records", pa.StructArray.from_arrays([pa.array([number])], ["a"])))
    assert body["dataframe_records"][0]["a"] == number


def test_infinite_number_is_refused_with_its_name() -> None:
    inputs = pa.StructArray.from_arrays([pa.array([1.0, float("-inf")])], ["price"])
    with pytest.raises(RefusedError, match="price is infinite"):
        encode("dataframe_split", inputs)


def test_predictions_may_have_any_shape_that_models_have() -> None:
    for predictions in ([0.5, 0.25], [[0.1, 0.9]], [{"a": 1}], {"a": [1, 2]}):
        assert decode("inputs", 200, json.dumps({"predictions": predictions}).encode()).prediction == predictions


def test_nan_as_python_writes_it_is_read() -> None:
    [first, second] = decode("inputs", 200, b'{"predictions": [NaN, Infinity]}').prediction
    assert (str(first), str(second)) == ("nan", "inf")


@pytest.mark.parametrize("status", [400, 413, 422])
def test_refusal_of_clicks_is_theirs_and_has_the_words_of_the_endpoint(status: int) -> None:
    body = json.dumps({"error_code": "BAD_REQUEST", "message": "what\nis  this?"}).encode()
    with pytest.raises(RefusedError, match=rf"^HTTP {status}: what is this\?$"):
        decode("dataframe_split", status, body)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_endpoint_that_cannot_answer_now_is_away(status: int) -> None:
    with pytest.raises(AwayError, match=f"HTTP {status}: overloaded") as caught:
        decode("dataframe_split", status, b"overloaded", 3.0)
    assert caught.value.wait_s == 3.0
    assert isinstance(caught.value, ModelUnavailableError)


@pytest.mark.parametrize(("status", "body", "found"), [
    (401, b"", "HTTP 401: an empty answer"), (403, b"no", "HTTP 403: no"),
    (404, b'{"detail": "Not Found"}', "HTTP 404: Not Found"),
    (302, b"", "HTTP 302"), (200, b"<html>We will be back</html>", "found <html>We will be back</html>"),
    (200, b'{"outputs": [1]}', "expected JSON with predictions"), (200, b"\xff", "expected JSON with predictions"),
    (200, b"[" * 100_000, "expected JSON with predictions"),
])  # fmt: skip
def test_answer_of_another_protocol_says_what_to_look_at(status: int, body: bytes, found: str) -> None:
    with pytest.raises(MisconfiguredError) as caught:
        decode("dataframe_split", status, body)
    assert found in str(caught.value)
    assert "model.uri, model.endpoint.token and model.endpoint.payload" in str(caught.value)


def outcome(**changes: Any) -> dict[str, Any]:
    return {"verdict": "scored", "score": 0.5, "reason": None, "detail": None, "model_name": "m", "model_version": "3",
            **changes}  # fmt: skip


def test_outcomes_of_the_service_are_scores_and_a_version() -> None:
    body = json.dumps({"request_id": "x", "outcomes": [outcome(), outcome(score=0.25)]}).encode()
    assert decode("clicks", 200, body) == ([{"score": 0.5}, {"score": 0.25}], "3")


def test_click_that_the_service_rejects_is_refused_with_its_reason() -> None:
    rejected = outcome(verdict="rejected", score=None, reason="wrong_type", detail="price: expected a number")
    with pytest.raises(RefusedError, match=r"^wrong_type: price: expected a number$"):
        decode("clicks", 200, json.dumps({"outcomes": [outcome(), rejected]}).encode())


@pytest.mark.parametrize(("outcomes", "found"), [
    ([outcome(), outcome(model_version="4")], "one answer is of several versions: 3, 4"),
    ([{"score": 1}], "expected outcomes of jobs/serve.py"), (5, "expected outcomes of jobs/serve.py"),
])  # fmt: skip
def test_outcomes_that_cannot_be_of_one_version_are_not_taken(outcomes: Any, found: str) -> None:
    with pytest.raises(MisconfiguredError, match=found):
        decode("clicks", 200, json.dumps({"outcomes": outcomes}).encode())


def test_click_about_which_nothing_is_known_has_nulls_where_they_are_taken() -> None:
    inputs = pa.schema([
        pa.field("price", pa.float64()), pa.field("n", pa.int64(), nullable=False),
        pa.field("flag", pa.bool_(), nullable=False), pa.field("text", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("us", "UTC"), nullable=False),
    ])  # fmt: skip
    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    assert zeros(inputs).to_pylist() == [{"price": None, "n": 0, "flag": False, "text": "0", "at": epoch}]
