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

from clickscore.config.privacy import Privacy
from clickscore.errors import ConfigError
from clickscore.scoring.contract import Contract, read_contract
from clickscore.scoring.decoding import Rejection
from clickscore.scoring.features import read_features
from clickscore.scoring.isolation import Tolerance, TooManyFailuresError
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.outputs import Outputs, as_outputs
from clickscore.scoring.privacy import Protection, protection_of, withheld, without_values
from clickscore.scoring.privacy_rules import DROP, HASH, Rule, hashed
from clickscore.scoring.reading import Reading
from clickscore.scoring.scorer import ClickScorer

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "al!ce@example.org"
"""Stands in each field that is dropped or hashed; no word of a message has such a character in it."""
DDL = """
    id STRING NOT NULL, at TIMESTAMP NOT NULL, visitor STRING NOT NULL, account BIGINT, born TIMESTAMP,
    mail STRING NOT NULL, tags MAP<STRING, STRING>, user STRUCT<name: STRING>, price DOUBLE, page STRING
"""
RULES = {
    "id": Rule(HASH), "visitor": Rule(HASH), "account": Rule(HASH), "born": Rule(DROP), "mail": Rule(DROP),
    "tags": Rule(DROP), "user": Rule(DROP),
}  # fmt: skip
PROTECTED = ("id", "visitor", "account", "born", "mail", "tags", "user")
READINGS = {
    "visitor": Reading(("context.user", "anonymous")),
    "tags": Reading(("context.tags",)),
    "price": Reading(("items[0].price",), is_lenient=True),
}
GOOD: dict[str, Any] = {
    "id": f"{SECRET}-1", "at": "2026-03-01T12:00:00Z", "context": {"user": SECRET, "tags": {SECRET: SECRET}},
    "account": 987654321987, "born": "1999-09-09T09:09:09Z", "mail": SECRET, "user": {"name": SECRET},
    "items": [{"price": 4.5}], "page": "/shoes",
}  # fmt: skip
SECRETS = (SECRET, "987654321987", "1999-09-09", '-1"')
INPUTS = pa.schema([("twice", pa.float64()), ("length", pa.float64())])


@pytest.fixture(scope="module")
def contract(tmp_path_factory: pytest.TempPathFactory) -> Contract:
    file = tmp_path_factory.mktemp("contract") / "click.ddl"
    file.write_text(DDL)
    return replace(read_contract(file, "id", "at", "visitor", readings=READINGS), protection=Protection(RULES, key=KEY))


def scorer_of(contract: Contract, folder: Path, answer: Any, most: float = 100.0) -> ClickScorer:
    """A scorer whose features read protected fields; DuckDB cannot compute them for a price of 13."""
    file = folder / "features.sql"
    file.write_text(
        "SELECT if(price = 13, CAST(mail AS DOUBLE), price * 2) AS twice, length(visitor) AS length FROM click"
    )

    def predict(values: pa.StructArray) -> Outputs:
        return as_outputs(answer(values), len(values))

    champion = LoadedModel(INPUTS, predict, {"score": None}, Tolerance(time_limit_s=5, count=most))
    return ClickScorer(contract, read_features(file, contract.click), champion, champion)


@pytest.fixture(scope="module")
def scorer(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> ClickScorer:
    return scorer_of(contract, tmp_path_factory.mktemp("features"), fussy, most=float("inf"))


def fussy(values: pa.StructArray) -> list[float]:
    """The feature; where it is 28, the model quotes what it knows."""
    found: list[float] = values.field("twice").to_pylist()
    if 28.0 in found:
        raise ValueError(f"what is {SECRET}?")
    return found


def records(*found: Any) -> pa.Array:
    return pa.array([one if isinstance(one, bytes) else json.dumps(one).encode() for one in found], pa.binary())


def text_of(outcomes: pa.StructArray) -> str:
    return json.dumps(outcomes.to_pylist(maps_as_pydicts="lossy"), default=str)


def with_price(price: Any) -> dict[str, Any]:
    return {**GOOD, "items": [{"price": price}]}


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


JSON = st.recursive(
    st.none() | st.booleans() | st.just(SECRET) | st.just(987654321987) | st.just("1999-09-09T09:09:09Z")
    | st.just("1999-09-09T25:09:09Z") | st.floats(allow_nan=False, allow_infinity=False, width=16),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([SECRET, "name", "price"]), inner,
                                                                max_size=2),
    max_leaves=4,
)  # fmt: skip
"""Values of all types; wherever a text or a number of ours stands, it is a secret one."""
PLACES = st.sampled_from([*PROTECTED, "context", "anonymous", "at", "price", "items", "misspelt", SECRET])


@given(changes=st.dictionaries(PLACES, JSON, max_size=3), price=st.sampled_from([1, 13, 14]),
       cut=st.sampled_from([0, 0, 0, 1, 30]), twice=st.booleans())  # fmt: skip
def test_no_value_of_a_protected_field_is_in_an_outcome(
    scorer: ClickScorer, changes: dict[str, Any], price: float, cut: int, twice: bool
) -> None:
    text = json.dumps({**with_price(price), **changes})
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
