"""Clicks with fields that are dropped or hashed, and a secret in each of them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from clickscore.scoring.contract import Contract, read_contract
from clickscore.scoring.features import read_features
from clickscore.scoring.isolation import Tolerance
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.outputs import Outputs, as_outputs
from clickscore.scoring.privacy import Protection
from clickscore.scoring.privacy_rules import DROP, HASH, Rule
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


def contract_in(folder: Path) -> Contract:
    file = folder / "click.ddl"
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


JSON = st.recursive(
    st.none() | st.booleans() | st.just(SECRET) | st.just(987654321987) | st.just("1999-09-09T09:09:09Z")
    | st.just("1999-09-09T25:09:09Z") | st.floats(allow_nan=False, allow_infinity=False, width=16),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from([SECRET, "name", "price"]), inner,
                                                                max_size=2),
    max_leaves=4,
)  # fmt: skip
"""Values of all types; wherever a text or a number of ours stands, it is a secret one."""
UNFIT = st.sampled_from([SECRET, "1999-09-09T25:09:09Z", [SECRET], {SECRET: SECRET}, None])
"""Values that a field without a rule cannot have, or else it might keep them."""
CHANGES = st.lists(
    st.tuples(st.sampled_from([*PROTECTED, "context", "anonymous", "misspelt"]), JSON)
    | st.tuples(st.sampled_from(["at", "price", "items"]), UNFIT),
    max_size=3,
).map(dict)
"""Fields of a record and what they are changed to."""
