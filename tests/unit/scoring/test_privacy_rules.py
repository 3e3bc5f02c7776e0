from decimal import Decimal

import pyarrow as pa
import pytest

from clickscore.scoring.ddl import read_fields
from clickscore.scoring.privacy_rules import (
    Rule,
    applied,
    coarse,
    hashed,
    network_of,
    rule_problems,
    type_under,
    without_query,
)
from clickscore.scoring.reading import Reading, with_reading

KEY = b"0123456789abcdef0123456789abcdef"
DDL = """
    id STRING NOT NULL, at TIMESTAMP NOT NULL, visitor STRING NOT NULL, price DOUBLE, quantity INT, paid DECIMAL(9, 2),
    returning BOOLEAN, page STRUCT<url: STRING, owner: STRUCT<mail: STRING>>, extra MAP<STRING, STRING>,
    steps ARRAY<STRING>, mail STRING, context STRING
"""


def problems(rules: dict[str, Rule], readings: dict[str, Reading] | None = None, has_key: bool = True) -> list[str]:
    click, _ = read_fields(DDL)
    fields = [with_reading(field, (readings or {}).get(field.name, Reading())) for field in click]
    return list(rule_problems(pa.schema(fields), rules, "id", "at", "visitor", has_key))


def test_hash_is_hmac_sha_256_of_the_text() -> None:
    # printf v1 | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
    expected = "20bd04b79e62af453fc53bbfd674f8e0a12b9d39d9039f74663ce2e27a8152ba"
    assert hashed("v1", KEY) == expected
    assert applied(Rule("hash"), pa.array(["v1", None, "v1"]), KEY).to_pylist() == [expected, None, expected]


def test_hash_of_a_number_is_that_of_its_digits_and_a_text() -> None:
    found = applied(Rule("hash"), pa.array([7, None], pa.int64()), KEY)
    assert found.type == type_under(Rule("hash"), pa.int64()) == pa.string()
    assert found.to_pylist() == [hashed("7", KEY), None]
    assert hashed("7", KEY) != hashed("7", KEY[::-1])


@pytest.mark.parametrize(("address", "network"), [
    ("203.0.113.77", "203.0.113.0"),
    (" 203.0.113.77 ", "203.0.113.0"),
    ("2001:db8:1234:5678::9", "2001:db8:1234::"),
    ("fe80::1%eth0", "fe80::"),
    ("::ffff:203.0.113.77", "203.0.113.0"),
    ("203.0.113.77:443", ""),
    ("203.0.113.77, 10.0.0.1", ""),
    ("alice", ""),
    ("", ""),
])  # fmt: skip
def test_address_becomes_its_network(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(("address", "names", "kept"), [
    ("https://shop.example/shoes?user=alice#alice", (), "https://shop.example/shoes"),
    ("https://shop.example/shoes?user=alice&q=red", ("q",), "https://shop.example/shoes?q=red"),
    ("/shoes?q=red;user=alice&q=blue", ("q",), "/shoes?q=red&q=blue"),
    ("/shoes?%71=red&Q=blue", ("q",), "/shoes?%71=red"),
    ("https://alice:pw@shop.example/@shoes?q", ("q",), "https://shop.example/@shoes?q"),
    ("//alice@shop.example", (), "//shop.example"),
    ("/a?q=1?user=alice", ("user",), "/a"),
    ("", ("q",), ""),
    ("?user=alice", (), ""),
])  # fmt: skip
def test_address_keeps_named_parameters_only(address: str, names: tuple[str, ...], kept: str) -> None:
    assert without_query(address, names) == kept
    assert applied(Rule("strip_query", names), pa.array([address, None]), b"").to_pylist() == [kept, None]


@pytest.mark.parametrize(("value", "step", "kept"), [
    (12.34, "0.1", "12.3"), (12.34, "0.01", "12.34"), (-12.34, "5", "-10"), (-3, "10", "0"), (29, "10", "20"),
    (1e300, "0.1", "1E+300"), (5e-324, "0.1", "0.0"), (Decimal("19.99"), "0.5", "19.5"),
])  # fmt: skip
def test_number_becomes_the_multiple_next_to_it_on_the_side_of_zero(value: float, step: str, kept: str) -> None:
    assert coarse(value, Decimal(step)) == Decimal(kept)


def test_coarse_numbers_keep_their_type_and_fit_it() -> None:
    for kind, values, kept in [
        (pa.int8(), [127, -128, None], [120, -120, None]),
        (pa.float64(), [12.5, float("inf"), None], [10.0, float("inf"), None]),
        (pa.decimal128(9, 2), [Decimal("12.50"), None], [Decimal("10.00"), None]),
    ]:
        found = applied(Rule("coarsen", step=Decimal(10)), pa.array(values, kind), b"")
        assert (found.type, found.to_pylist()) == (kind, kept)
    assert str(applied(Rule("coarsen", step=Decimal(10)), pa.array([-3.0]), b"")[0]) == "0.0"


@pytest.mark.parametrize(("value", "step", "kept"), [
    ("9" * 38, "1", "9" * 38), ("9" * 38, "10", "9" * 37 + "0"), ("-" + "9" * 38, "1", "-" + "9" * 38),
    ("5", "1e300", "0"),
])  # fmt: skip
def test_longest_decimal_stays_on_the_side_of_zero(value: str, step: str, kept: str) -> None:
    values = pa.array([Decimal(value)], pa.decimal128(38, 0))
    assert applied(Rule("coarsen", step=Decimal(step)), values, b"").to_pylist() == [Decimal(kept)]


@pytest.mark.parametrize("step", ["5e-324", "1.7976931348623157e308"])
def test_step_may_be_any_double(step: str) -> None:
    values = [1.7976931348623157e308, 5e-324, -1.5, 0.0]
    found = applied(Rule("coarsen", step=Decimal(step)), pa.array(values, pa.float64()), b"").to_pylist()
    assert all(abs(kept) <= abs(value) for kept, value in zip(found, values, strict=True))


def test_rules_that_fit_are_accepted() -> None:
    assert problems({
        "id": Rule("hash"), "visitor": Rule("hash"), "quantity": Rule("coarsen", step=Decimal(5)), "mail": Rule("drop"),
        "price": Rule("coarsen", step=Decimal("0.5")), "paid": Rule("coarsen", step=Decimal("0.50")),
        "context": Rule("truncate_ip"), "page": Rule("drop"), "extra": Rule("drop"), "returning": Rule("drop"),
    }) == []  # fmt: skip


@pytest.mark.parametrize(("name", "rule", "why"), [
    ("visiter", Rule("hash"), "there is no field visiter; there are id, at,"),
    ("at", Rule("drop"), "click.time stays as it is"),
    ("at", Rule("hash"), "click.time stays as it is"),
    ("id", Rule("drop"), "expected hash, as the id of a click or a visitor must tell them apart, found drop"),
    ("visitor", Rule("truncate_ip"), "expected hash"),
    ("page", Rule("hash"), "hash needs a STRING or a whole number, found struct"),
    ("price", Rule("hash"), "hash needs a STRING or a whole number, found double"),
    ("returning", Rule("hash"), "hash needs a STRING or a whole number, found bool"),
    ("mail", Rule("coarsen"), "coarsen 1 needs a number, found string"),
    ("quantity", Rule("truncate_ip"), "truncate_ip needs a STRING, found int32"),
    ("extra", Rule("strip_query"), "strip_query needs a STRING, found map"),
    ("quantity", Rule("coarsen", step=Decimal("0.5")), "coarsen 0.5 needs a field with decimals"),
    ("paid", Rule("coarsen", step=Decimal("0.125")), "needs a field with 3 decimals"),
])  # fmt: skip
def test_rule_that_does_not_fit_its_field_is_refused(name: str, rule: Rule, why: str) -> None:
    [problem] = problems({name: rule})
    assert problem.startswith(f"privacy.fields.{name}: ")
    assert why in problem


def test_hash_without_a_key_is_refused() -> None:
    [problem] = problems({"visitor": Rule("hash"), "mail": Rule("drop")}, has_key=False)
    assert problem == (
        "privacy.fields.visitor: hash needs a key; name one in privacy.key, such as env:CLICKSCORE_PRIVACY_KEY"
    )


@pytest.mark.parametrize(("path", "holders"), [
    ("page.owner.mail", ["page"]),
    ("page.owner", ["page"]),
    ("page.owner.age", []),
    ("extra.mail", ["extra"]),
    ("steps[0]", ["steps"]),
    ("context.mail", []),
    ("context", ["context"]),
    ("elsewhere", []),
])  # fmt: skip
def test_field_that_holds_a_protected_one_needs_a_rule_too(path: str, holders: list[str]) -> None:
    found = problems({"mail": Rule("drop")}, {"mail": Reading((path,))})
    assert [problem.split()[1] for problem in found] == holders


def test_rule_is_written_the_same_whatever_the_order_and_the_zeros() -> None:
    assert str(Rule("strip_query", ("b", "a"))) == "strip_query except a, b"
    assert str(Rule("coarsen", step=Decimal("10.0"))) == str(Rule("coarsen", step=Decimal(10))) == "coarsen 10"
