"""No value of a field that is dropped or hashed leaves the scorer, whatever the record and whoever fails on it."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.protected import (
    CHANGES,
    GOOD,
    INPUTS,
    KEY,
    RULES,
    SECRET,
    SECRETS,
    contract_in,
    fussy,
    records,
    scorer_of,
    text_of,
    with_price,
)

from clickscore.config.privacy import Privacy
from clickscore.errors import ConfigError
from clickscore.scoring.contract import Contract
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.features import read_features
from clickscore.scoring.isolation import Tolerance, TooManyFailuresError
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.outputs import Outputs, as_outputs
from clickscore.scoring.privacy import Protection, protection_of, withheld, without_values
from clickscore.scoring.privacy_rules import DROP, Rule, hashed
from clickscore.scoring.scorer import ClickScorer


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    return contract_in(tmp_path_factory.mktemp("contract"))


@pytest.fixture(scope="module")
def scorer(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> ClickScorer:
    return scorer_of(contract, tmp_path_factory.mktemp("features"), fussy, most=float("inf"))


def test_features_read_what_the_outcome_does_not_have(contract: Contract, tmp_path: Path) -> None:
    scorer = scorer_of(contract, tmp_path, lambda values: values.field("length").to_pylist())
    outcomes = scorer.score(records(GOOD))
    assert outcomes.type == scorer.outcome_type
    [row] = outcomes.to_pylist()
    assert (row["score"], row["reason"], row["price"], row["page"]) == (len(SECRET), None, 4.5, "/shoes")
    assert (row["visitor"], row["id"]) == (hashed(SECRET, KEY), hashed(f"{SECRET}-1", KEY))
    assert row["account"] == hashed(987654321987, KEY)
    assert not {"born", "mail", "tags", "user"} & row.keys()
    assert outcomes.type.field("account").type == pa.string()


def test_score_and_verdict_are_the_same_with_rules_and_without(contract: Contract, tmp_path: Path) -> None:
    bare = Contract(contract.click, contract.id, contract.time, contract.visitor)
    sample = records(GOOD, with_price(13), with_price(14), with_price("none"), b"rubbish", {"id": 1})
    ours, theirs = (scorer_of(each, tmp_path, fussy).score(sample) for each in (contract, bare))
    for name in ("score", "reason", "challenger_score"):
        assert ours.field(name) == theirs.field(name)


def test_details_of_features_and_models_say_what_failed_and_quote_nothing(contract: Contract, tmp_path: Path) -> None:
    outcomes = scorer_of(contract, tmp_path, fussy).score(records(with_price(13), with_price(14)))
    why = "its words are not kept, as a feature reads a field that privacy protects"
    assert outcomes.field("reason").to_pylist() == ["feature_failed", "scoring_failed"]
    assert outcomes.field("detail").to_pylist() == [f"DuckDB: {why}", f"ValueError: {why}"]
    assert outcomes.field("challenger_detail").to_pylist() == [None, f"ValueError: {why}"]


def test_words_are_kept_where_no_feature_reads_a_protected_field(contract: Contract, tmp_path: Path) -> None:
    file = tmp_path / "features.sql"
    file.write_text("SELECT price * 2 AS twice, length(page) AS length FROM click")

    def predict(values: pa.StructArray) -> Outputs:
        raise ValueError("out of memory")

    champion = LoadedModel(INPUTS, predict, {"score": None}, Tolerance(5, 100))
    outcomes = ClickScorer(contract, read_features(file, contract.click), champion).score(records(GOOD))
    assert outcomes.field("detail").to_pylist() == ["ValueError: out of memory"]


def test_error_of_a_model_that_fails_too_often_quotes_nothing(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(TooManyFailuresError) as caught:
        scorer_of(contract, tmp_path, fussy, most=0).score(records(with_price(14)))
    assert SECRET not in str(caught.value)
    assert "ValueError" in str(caught.value)


def test_challenger_that_is_suspended_says_why_and_quotes_nothing(contract: Contract, tmp_path: Path) -> None:
    file = tmp_path / "features.sql"
    file.write_text("SELECT price * 2 AS twice, length(visitor) AS length FROM click")
    good = LoadedModel(INPUTS, lambda values: as_outputs([1.0] * len(values), len(values)), {"score": None},
                       Tolerance(5, 100))  # fmt: skip
    bad = LoadedModel(INPUTS, lambda values: as_outputs(fussy(values), len(values)), {"score": None}, Tolerance(5, 0))
    outcomes = ClickScorer(contract, read_features(file, contract.click), good, bad).score(records(with_price(14)))
    [detail] = outcomes.field("challenger_detail").to_pylist()
    assert "1 of 1 clicks" in detail and SECRET not in detail


def test_record_that_cannot_be_decoded_keeps_the_fields_that_can(contract: Contract, tmp_path: Path) -> None:
    wrong = {**with_price("none"), "elsewhere": SECRET, "born": SECRET}
    outcomes = scorer_of(contract, tmp_path, fussy).score(records(wrong, b"rubbish", GOOD, b'{"visitor": "\xff"}', []))
    kept = outcomes.field("_raw").to_pylist()
    assert json.loads(kept[0]) == {
        "id": hashed(f"{SECRET}-1", KEY), "at": "2026-03-01T12:00:00Z", "visitor": hashed(SECRET, KEY),
        "account": hashed(987654321987, KEY), "page": "/shoes",
    }  # fmt: skip
    assert kept[1:] == [None] * 4
    assert outcomes.field("reason").to_pylist()[0] == "invalid_time"


@pytest.mark.parametrize("rule", ["drop", "keep"])
def test_only_masked_records_are_written_by_the_scorer(contract: Contract, tmp_path: Path, rule: str) -> None:
    bare = Contract(contract.click, contract.id, contract.time, contract.visitor)
    other = replace(bare, protection=Protection(RULES, rule, KEY))
    assert "_raw" not in scorer_of(other, tmp_path, fussy).score(records(b"rubbish")).type.names


@given(changes=CHANGES, price=st.sampled_from([1, 13, 14]), cut=st.sampled_from([0, 0, 0, 1, 30]), twice=st.booleans())
def test_no_value_of_a_protected_field_is_in_an_outcome(
    scorer: ClickScorer, changes: dict[str, Any], price: float, cut: int, twice: bool
) -> None:
    text = json.dumps({SECRET: SECRET, **with_price(price), **changes})
    text = text[:-cut] if cut else text
    if twice:
        key = json.dumps(SECRET)
        text = text.replace(f"{key}: ", f"{key}: {key}, {key}: ")
    outcomes = scorer.score(records(text.encode(), text.encode("utf-16"), GOOD))
    found = text_of(outcomes)
    assert not [secret for secret in SECRETS if secret in found], found
    assert outcomes.field("id")[2].as_py() == hashed(f"{SECRET}-1", KEY)


def test_details_name_the_place_and_the_type_and_no_value(contract: Contract) -> None:
    click = contract.click
    for reason, detail, expected in [
        ("wrong_type", "Expected `int`, got `str` - at `$.account`", "Expected `int`, got `str` - at `$.account`"),
        ("invalid_time", f"Expected a time, found '{SECRET}': no date - at `$.born`",
         "Expected a time; what was found is not kept - at `$.born`"),
        ("invalid_time", "born: expected a time in the years 1 to 9999 of UTC",
         "born: expected a time in the years 1 to 9999 of UTC"),
        ("wrong_type", f"items[0].price: '{SECRET}' is too large",
         "items[0].price: Expected a value that fits the type; what was found is not kept"),
        ("duplicate_key", f"expected each key once, found tags.{SECRET} twice", "expected each key once"),
        ("missing_field", "mail is missing", "mail is missing"),
        ("wrong_type", SECRET, "Expected a value that fits the type; what was found is not kept"),
    ]:  # fmt: skip
        assert without_values(Rejection(reason, detail), click) == (reason, expected)
    assert SECRET not in withheld(ValueError(SECRET))


def test_key_is_in_no_text_and_its_id_changes_with_it(contract: Contract) -> None:
    ours, theirs = Protection(RULES, key=KEY), Protection(RULES, key=KEY[::-1])
    assert KEY.decode() not in f"{ours!r} {ours.described} {ours.key_id} {contract!r}"
    assert ours.key_id != theirs.key_id
    assert Protection({"price": Rule(DROP)}).key_id is None
    assert pickle.loads(pickle.dumps(ours)) == ours
    assert ours.described["privacy.raw"] == "masked"


def test_configuration_becomes_a_protection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVACY_KEY", KEY.decode())
    fields = {"visitor": "hash", "price": {"coarsen": 10}, "page": {"strip_query": ["q"]}}
    found = protection_of(Privacy.model_validate({"key": "env:PRIVACY_KEY", "fields": fields, "raw": "drop"}))
    assert (found.raw, found.key) == ("drop", KEY)
    assert {name: str(rule) for name, rule in found.rules.items()} == {
        "visitor": "hash", "price": "coarsen 10", "page": "strip_query except q",
    }  # fmt: skip


def test_key_that_is_missing_or_too_short_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    section = Privacy.model_validate({"key": "env:PRIVACY_KEY", "fields": {"visitor": "hash"}})
    monkeypatch.delenv("PRIVACY_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"PRIVACY_KEY is not set"):
        protection_of(section)
    monkeypatch.setenv("PRIVACY_KEY", "too-short")
    with pytest.raises(ConfigError, match="at least 32 bytes, found 9; make one with: openssl rand -hex 32") as caught:
        protection_of(section)
    assert "too-short" not in str(caught.value)


def test_stored_fields_say_what_has_become_of_them(contract: Contract) -> None:
    assert contract.kept.names == ["id", "at", "visitor", "account", "price", "page"]
    assert contract.kept.field("visitor").metadata[b"comment"] == b"(privacy: hash)"
    assert not contract.kept.field("visitor").nullable
