"""Whose outcome a row is: by the visitor itself, else by the clicks of the session."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from clickscore.erasure.visitor_outcomes import all_holders
from clickscore.erasure.visitor_rows import NUMBER, Holder
from clickscore.erasure.visitors import visitors_of
from clickscore.scoring.contract import read_contract
from clickscore.scoring.privacy import Protection
from clickscore.scoring.privacy_rules import Rule, hashed
from clickscore.storage.table import Table

KEY = b"0123456789abcdef0123456789abcdef"
CLICKS = [
    ("c1", "v1", "s1"), ("c2", "v1", "s2"), ("c3", "v2", "s2"), ("c4", "v9", "s3"), ("c5", "v1", None),
]  # fmt: skip


def outcomes(
    spark: SparkSession, shop: Any, definition: dict[str, str], units: list[str], is_hashed: bool = False
) -> Holder:
    """Return the outcomes of some units, where v1 and v2 are asked about."""
    clicks = spark.createDataFrame(CLICKS, "id STRING, visitor STRING, session STRING")
    clicks.coalesce(1).write.format("delta").save(f"{shop.home}/scored_clicks")
    table = Table(f"{shop.home}/outcomes")
    rows = spark.createDataFrame([(unit,) for unit in units], "unit_id STRING")
    rows.coalesce(1).write.format("delta").save(table.name)
    table.set_properties(spark, {"clickscore.outcome": json.dumps(definition)})
    contract = read_contract(Path("tests/data/click.ddl"), "id", "at", "visitor")
    if is_hashed:
        contract = replace(contract, protection=Protection({"visitor": Rule("hash")}, "masked", KEY))
    return all_holders(spark, shop.config, contract, visitors_of({"v1": "1", "v2": "2"}, contract), KEY)[-1]


def found(spark: SparkSession, holder: Holder) -> dict[str, int]:
    return {row.unit_id: row[NUMBER] for row in holder.find(holder.table.read(spark)).collect()}


def test_visitor_is_told_by_its_id_as_the_tables_have_it_also_without_a_click(spark: SparkSession, shop: Any) -> None:
    stored = hashed("v2", KEY)
    holder = outcomes(spark, shop, {"unit": "visitor"}, ["v1", stored, "v12"], is_hashed=True)
    assert found(spark, holder) == {stored: 1}


def test_session_is_told_by_its_clicks_and_shared_ones_are_counted_once(spark: SparkSession, shop: Any) -> None:
    holder = outcomes(spark, shop, {"unit": "session", "session": "session"}, ["s1", "s2", "s3"])
    assert found(spark, holder) == {"s1": 0, "s2": 0}
    assert holder.known_by
    known = holder.known_by(holder.table.read(spark)).collect()
    assert {row.unit_id: row.unit_hash for row in known} == {unit: hashed(unit, KEY) for unit in ("s1", "s2", "s3")}


def test_click_is_its_own_unit(spark: SparkSession, shop: Any) -> None:
    assert found(spark, outcomes(spark, shop, {"unit": "click"}, ["c2", "c4"])) == {"c2": 0}


def test_run_without_outcomes_has_none(spark: SparkSession, shop: Any) -> None:
    contract = read_contract(Path("tests/data/click.ddl"), "id", "at", "visitor")
    names = [holder.name for holder in all_holders(spark, shop.config, contract, visitors_of({"v1": "1"}, contract))]
    assert names == ["scored_clicks", "rejected_clicks"]
