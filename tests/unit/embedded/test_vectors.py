from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from clickscore.embedded.vectors import Vector, as_lines, differences, evaluate, read_vectors
from clickscore.errors import ConfigError
from clickscore.scoring import Contract, Features, LoadedModel
from clickscore.scoring.outputs import Outputs, as_outputs

SCORED = Vector("{}", "scored", None, {"price": 2.0, "count": "9007199254740993"}, {"score": 0.25})
REJECTED = Vector("", "rejected", "empty_record", None, None)
CLICK = '{"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": %s, "quantity": %s}'


def half_price(inputs: pa.StructArray) -> Outputs:
    prices = inputs.field("double_price").to_numpy(zero_copy_only=False)
    return as_outputs(prices / 4, len(inputs))


def test_vectors_have_the_inputs_of_the_model_and_its_scores(contract: Contract, features: Features) -> None:
    inputs = pa.schema([pa.field("double_price", pa.float64()), pa.field("quantity", pa.int64(), nullable=False)])
    model = LoadedModel(inputs, half_price, {"score": 0})
    clicks = [CLICK % (10, 3), CLICK % ("1e308", 1), CLICK % (1, "null"), "no click"]
    scored, endless, lacking, none = evaluate(clicks, contract, features, model)
    assert scored == Vector(clicks[0], "scored", None, {"double_price": 20.0, "quantity": "3"}, {"score": 5.0})
    assert (endless.verdict, endless.reason) == ("rejected", "scoring_failed")
    assert endless.features == {"double_price": "Infinity", "quantity": "1"}
    assert (lacking.reason, lacking.features) == ("missing_feature", {"double_price": 2.0, "quantity": None})
    assert none == Vector("no click", "rejected", "malformed_json", None, None)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    odd = replace(SCORED, record="Grüße\u2028, \n \U0001f6d2")
    (tmp_path / "test_vectors.jsonl").write_bytes(as_lines([SCORED, REJECTED, odd]))
    assert read_vectors(tmp_path) == [SCORED, REJECTED, odd]


def test_folder_without_vectors_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"test_vectors.jsonl cannot be used:"):
        read_vectors(tmp_path)


def test_same_outcomes_do_not_differ() -> None:
    assert differences([SCORED, REJECTED], [SCORED, REJECTED]) == []


@pytest.mark.parametrize(
    "other",
    [
        REJECTED,
        replace(SCORED, reason="scoring_failed"),
        replace(SCORED, features={"price": 2.0000000000000004, "count": "9007199254740993"}),
        replace(SCORED, scores={"score": 0.25000000000000006}),
        replace(SCORED, scores={"score": 0.25, "leave": 0.5}),
    ],
    ids=["verdict", "reason", "feature", "score", "output"],
)
def test_every_difference_is_told(other: Vector) -> None:
    [told] = differences([SCORED], [other])
    assert told.startswith("'{}': expected {'score': 0.25} with the features {'price': 2.0")


def test_scores_may_differ_by_the_tolerance() -> None:
    assert differences([SCORED], [replace(SCORED, scores={"score": 0.2500009})], 1e-6) == []
    assert differences([SCORED], [replace(SCORED, scores={"score": 0.2500011})], 1e-6)
