from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from clickscore.config.privacy import FieldRule, Privacy


def message(**keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        Privacy.model_validate(keys)
    return str(caught.value)


def test_action_may_stand_alone_or_with_what_it_needs() -> None:
    fields = {"a": "hash", "b": "strip_query", "c": {"strip_query": ["q"]}, "d": {"coarsen": 0.5}, "e": {"drop": None}}
    assert Privacy.model_validate({"key": "env:KEY", "fields": fields}).fields == {
        "a": FieldRule.model_validate("hash"),
        "b": FieldRule.model_validate("strip_query"),
        "c": FieldRule.model_validate({"strip_query": ["q"]}),
        "d": FieldRule.model_validate({"coarsen": 0.5}),
        "e": FieldRule.model_validate("drop"),
    }
    assert FieldRule.model_validate({"strip_query": ["q"]}).names == ("q",)
    assert FieldRule.model_validate({"coarsen": 0.1}).step == Decimal("0.1")


def test_rejected_records_are_masked_unless_something_else_is_said() -> None:
    assert Privacy.model_validate({"fields": {"a": "drop"}}).raw == "masked"
    assert "'masked', 'drop' or 'keep'" in message(fields={"a": "drop"}, raw="400 days")


@pytest.mark.parametrize(("rule", "why"), [
    ("hide", "expected drop, hash, truncate_ip, strip_query, coarsen, found 'hide'"),
    ("hashed", "found 'hashed'; did you mean hash?"),
    (5, "found 5"),
    (["hash"], "found ['hash']"),
    ({"hash": "sha1"}, "hash needs nothing behind it, found 'sha1'"),
    ({"truncate_ip": 16}, "truncate_ip needs nothing behind it"),
    ({"strip_query": "q"}, "strip_query needs nothing behind it, found 'q'"),
    ({"strip_query": [""]}, "at least 1 character"),
    ("coarsen", "expected a step above 0 that a DOUBLE holds, such as {coarsen: 10}, found None"),
    ({"coarsen": 0}, "above 0"),
    ({"coarsen": -1}, "above 0"),
    ({"coarsen": "ten"}, "above 0"),
    ({"coarsen": True}, "above 0"),
    ({"coarsen": float("nan")}, "above 0"),
    ({"coarsen": "sNaN"}, "above 0"),
    ({"coarsen": "1e-400"}, "that a DOUBLE holds"),
    ({"coarsen": "1e999999"}, "that a DOUBLE holds"),
    ({"hash": None, "drop": None}, "expected drop, hash"),
])  # fmt: skip
def test_rule_of_another_kind_is_refused(rule: Any, why: str) -> None:
    assert why in message(fields={"a": rule})


def test_key_is_a_reference_and_never_shown() -> None:
    found = message(fields={"a": "hash"}, key="0123456789abcdef0123456789abcdef")
    assert "expected a reference to a secret" in found


def test_section_without_a_rule_is_refused() -> None:
    assert "at least 1 item" in message(fields={})
