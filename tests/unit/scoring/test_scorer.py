"""Raw records in, one outcome for each out, whatever is wrong with a record, a feature or a model."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clickscore.scoring.contract import Contract
from clickscore.scoring.erased_visitors import ErasedVisitors
from clickscore.scoring.features import Features, read_features
from clickscore.scoring.histograms import Bins, ClickBins, added
from clickscore.scoring.isolation import Tolerance, TooManyFailuresError
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.outputs import Outputs, as_outputs
from clickscore.scoring.parsing import parser
from clickscore.scoring.privacy import Protection
from clickscore.scoring.privacy_rules import Rule, hashed
from clickscore.scoring.scorer import ClickScorer

INPUTS = pa.schema([("double_price", pa.float64()), ("quantity", pa.float64())])
GOOD = {"id": "a", "at": "2026-03-01T12:00:00Z", "visitor": "v", "price": 2.0, "quantity": 3}


def model(
    answer: Callable[[pa.StructArray], Any], inputs: pa.Schema = INPUTS, tolerance: Tolerance | None = None
) -> LoadedModel:
    def predict(values: pa.StructArray) -> Outputs:
        return as_outputs(answer(values), len(values))

    return LoadedModel(inputs, predict, {"score": None}, tolerance or Tolerance(time_limit_s=5, count=100))


def total(inputs: pa.StructArray) -> np.ndarray:
    price, quantity = (inputs.field(name).to_numpy(zero_copy_only=False) for name in ("double_price", "quantity"))
    return price + quantity


def fussy(inputs: pa.StructArray) -> np.ndarray:
    """The sum; it raises whenever a quantity of 13 is among the clicks."""
    if 13.0 in inputs.field("quantity").to_pylist():
        raise ValueError("what is this?")
    return total(inputs)


def records(*found: dict[str, Any] | bytes | None) -> pa.Array:
    return pa.array([json.dumps(one).encode() if isinstance(one, dict) else one for one in found], pa.binary())


def click(**fields: Any) -> dict[str, Any]:
    return {**GOOD, **fields}


def test_each_record_has_its_outcome_in_the_order_in_which_it_came(contract: Contract, features: Features) -> None:
    scorer = ClickScorer(contract, features, model(fussy))
    outcomes = scorer.score(records(click(), b"rubbish", click(quantity=13), None, click(id="b", price=4.5)))
    assert outcomes.type == scorer.outcome_type
    assert outcomes.field("score").to_pylist() == [7.0, None, None, None, 12.0]
    assert outcomes.field("reason").to_pylist() == [None, "malformed_json", "scoring_failed", "tombstone", None]
    assert outcomes.field("detail")[2].as_py() == "ValueError: what is this?"
    assert outcomes.field("id").to_pylist() == ["a", None, "a", None, "b"]
    assert outcomes.field("price").to_pylist() == [2.0, None, 2.0, None, 4.5]


def test_duplicate_of_decoded_records_is_asked_about_by_no_model(contract: Contract, features: Features) -> None:
    half = model(fussy, tolerance=Tolerance(time_limit_s=5, count=0, rejected_share=0.5))
    scorer, sent = (
        ClickScorer(contract, features, half),
        records(click(), click(quantity=13), b"rubbish", click(id="b")),
    )
    outcomes = scorer.score(sent, parser(contract.click).parse(sent), np.array([1, 3]))
    assert outcomes.field("score").to_pylist() == [7.0, None, None, None]
    assert outcomes.field("reason").to_pylist() == [None, None, "malformed_json", None]
    scorer.finish()
    scorer.score(records(b"rubbish"))
    with pytest.raises(TooManyFailuresError, match="2 of 3 records of a task were rejected"):
        scorer.finish()


def test_nothing_in_gives_nothing_out(contract: Contract, features: Features) -> None:
    scorer = ClickScorer(contract, features, model(total), model(total))
    assert scorer.score(records()) == pa.array([], scorer.outcome_type)


def test_only_rejected_records_ask_no_model(contract: Contract, features: Features) -> None:
    def never(_: pa.StructArray) -> float:
        raise AssertionError("the model was asked")

    outcomes = ClickScorer(contract, features, model(never)).score(records(b"rubbish", None))
    assert outcomes.field("reason").to_pylist() == ["malformed_json", "tombstone"]


def test_click_without_a_required_feature_is_rejected_and_names_all_that_it_lacks(
    contract: Contract, features: Features
) -> None:
    inputs = pa.schema([field.with_nullable(False) for field in INPUTS])
    outcomes = ClickScorer(contract, features, model(total, inputs)).score(
        records(click(price=None), click(), click(price=None, quantity=None))
    )
    assert outcomes.field("score").to_pylist() == [None, 7.0, None]
    assert outcomes.field("reason").to_pylist() == ["missing_feature", None, "missing_feature"]
    assert outcomes.field("detail").to_pylist() == [
        "null, but required: double_price", None, "null, but required: double_price, quantity",
    ]  # fmt: skip


def test_click_whose_feature_fails_is_rejected_with_the_words_of_duckdb(contract: Contract, tmp_path: Path) -> None:
    file = tmp_path / "features.sql"
    file.write_text("SELECT CAST(visitor AS INTEGER) AS double_price, quantity AS quantity FROM click")
    scorer = ClickScorer(contract, read_features(file, contract.click), model(total))
    outcomes = scorer.score(records(click(visitor="7"), b"{}", click(visitor="seven"), click(visitor="8")))
    assert outcomes.field("score").to_pylist() == [10.0, None, None, 11.0]
    assert outcomes.field("reason").to_pylist() == [None, "missing_field", "feature_failed", None]
    assert "Could not convert string 'seven' to INT32" in outcomes.field("detail")[2].as_py()


def test_challenger_scores_its_visitors_and_harms_no_champion(contract: Contract, features: Features) -> None:
    champion, challenger = model(total), model(fussy)
    scorer = ClickScorer(contract, features, champion, challenger)
    outcomes = scorer.score(records(click(), click(quantity=13), b"", click(quantity=1)))
    assert outcomes.field("score").to_pylist() == [7.0, 17.0, None, 5.0]
    assert outcomes.field("challenger_score").to_pylist() == [7.0, None, None, 5.0]
    assert outcomes.field("challenger_detail").to_pylist() == [None, "ValueError: what is this?", None, None]
    assert outcomes.field("reason").to_pylist() == [None, None, "empty_record", None]
    nobody = ClickScorer(contract, features, champion, challenger, challenger_share=0.0).score(records(click()))
    assert nobody.field("challenger_score").to_pylist() == nobody.field("challenger_detail").to_pylist() == [None]


def test_challenger_with_inputs_of_its_own_gets_them_in_its_own_types(contract: Contract, features: Features) -> None:
    inputs = pa.schema([pa.field("quantity", pa.int32(), nullable=False)])
    challenger = model(lambda values: values.field("quantity").to_numpy() * 2, inputs)
    outcomes = ClickScorer(contract, features, model(total), challenger).score(records(click(), click(quantity=None)))
    assert outcomes.field("challenger_score").to_pylist() == [6.0, None]
    assert outcomes.field("challenger_detail").to_pylist() == [None, None]


def test_challenger_that_fails_too_often_is_suspended_for_the_rest_of_the_task(
    contract: Contract, features: Features
) -> None:
    strict = Tolerance(time_limit_s=5, count=2)
    scorer = ClickScorer(contract, features, model(total), model(fussy, tolerance=strict))
    first = scorer.score(records(*[click(quantity=13)] * 5))
    second = scorer.score(records(click()))
    for outcomes, score in ((first, 17.0), (second, 7.0)):
        assert set(outcomes.field("score").to_pylist()) == {score}
        assert set(outcomes.field("challenger_score").to_pylist()) == {None}
        assert all("clicks of a task" in detail for detail in outcomes.field("challenger_detail").to_pylist())


def test_champion_that_fails_on_more_than_its_tolerance_ends_the_task(contract: Contract, features: Features) -> None:
    scorer = ClickScorer(contract, features, model(fussy, tolerance=Tolerance(time_limit_s=5, count=2)))
    with pytest.raises(TooManyFailuresError, match="3 of 4 clicks of a task; the last: ValueError: what is this"):
        scorer.score(records(*[click(quantity=13)] * 4))


def test_task_is_judged_as_a_whole_at_its_end(contract: Contract, features: Features) -> None:
    tolerant = Tolerance(time_limit_s=5, count=0, share=0.5, slack=100)
    scorer = ClickScorer(contract, features, model(fussy, tolerance=tolerant))
    scorer.score(records(click(quantity=13)))
    with pytest.raises(TooManyFailuresError, match="1 of 1 clicks"):
        scorer.finish()


def test_task_with_more_rejected_records_than_its_tolerance_is_ended_at_its_end(
    contract: Contract, features: Features
) -> None:
    half = model(total, tolerance=Tolerance(time_limit_s=60.0, count=9, rejected_share=0.5))
    scorer = ClickScorer(contract, features, half)
    scorer.score(records(click(), b"rubbish"))
    scorer.finish()
    scorer.score(records(click(quantity=None), b"rubbish", None, click()))
    with pytest.raises(TooManyFailuresError, match="4 of 6 records of a task were rejected"):
        scorer.finish()


def test_answer_does_not_depend_on_the_company(contract: Contract, features: Features) -> None:
    found = [click(id=f"c{n}", price=n / 7, quantity=13 if n % 50 == 0 else n) for n in range(200)] + [b"x", b"", None]
    together = ClickScorer(contract, features, model(fussy)).score(records(*found))
    alone = [ClickScorer(contract, features, model(fussy)).score(records(one))[0].as_py() for one in found]
    assert together.to_pylist() == alone


def test_clicks_that_have_a_score_are_counted_in_the_bins_of_the_model(contract: Contract, features: Features) -> None:
    bins = ClickBins(Bins((10.0,)), {"quantity": Bins((3.0,))})
    scorer = ClickScorer(contract, features, model(fussy), bins=bins)
    chunks = [
        scorer.score(records(b"rubbish", click(), click(quantity=13), click(price=9.0))),
        scorer.score(records(click(quantity=None))),
        scorer.score(records(None)),
        scorer.score(records()),
    ]
    assert {chunk.type for chunk in chunks} == {scorer.outcome_type}
    assert [len(chunk.field("_counts").drop_null()) for chunk in chunks] == [1, 0, 0, 0]
    counts = added(chunks[0].field("_counts").drop_null().to_pylist())
    assert counts is not None
    assert counts.tolist() == [1, 1, 0, 2, 0, 0]


def test_clicks_of_erased_visitors_are_refused_and_the_others_scored(contract: Contract, features: Features) -> None:
    key = b"0123456789abcdef0123456789abcdef"
    erased = ErasedVisitors.of(contract.click, contract.visitor, key, frozenset({hashed("gone", key)}))
    asked: list[int] = []

    def counted(inputs: pa.StructArray) -> np.ndarray:
        asked.append(len(inputs))
        return total(inputs)

    scorer = ClickScorer(replace(contract, erased=erased), features, model(counted))
    found = records(
        click(), click(id="b", visitor="gone"), click(visitor="gone", quantity="many"), b'{"visitor": "gone"'
    )
    outcomes = scorer.score(found)
    reasons = [None, "erased_visitor", "erased_visitor", "malformed_json"]
    assert outcomes.field("reason").to_pylist() == reasons
    assert outcomes.field("score").to_pylist() == [7.0, None, None, None]
    assert asked == [1]
    assert outcomes.field("id").to_pylist() == ["a", "b", None, None]  # by which a click is told after a crash
    copies = scorer.score(found, parser(contract.click).parse(found), duplicates=np.array([0, 1]))
    assert copies.field("reason").to_pylist() == reasons
    assert copies.field("score").to_pylist() == [None] * 4

    hidden = replace(contract, erased=erased, protection=Protection({"price": Rule("drop")}))
    outcomes = ClickScorer(hidden, features, model(total)).score(found)
    assert outcomes.field("reason").to_pylist() == reasons
    assert outcomes.field("_raw").to_pylist() == [None] * 4
