"""Whose a row is: by the visitor of a click, by the field of a record that can be read, else by its words."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from clickscore.erasure.visitor_rows import NUMBER, Holder, count_rows, holders
from clickscore.erasure.visitors import visitors_of
from clickscore.scoring.contract import Contract, read_contract
from clickscore.scoring.privacy import Protection
from clickscore.scoring.privacy_rules import Rule, hashed

KEY = b"0123456789abcdef0123456789abcdef"
SCORED = "id STRING, visitor STRING, source STRING, batch_id BIGINT"
REJECTED = "raw STRING, reason STRING, detail STRING, source STRING, batch_id BIGINT"
KEPT = ", source_key BINARY, source_headers ARRAY<STRUCT<key: STRING, value: BINARY>>"


@pytest.fixture(scope="module")
def contract() -> Contract:
    return read_contract(Path("tests/data/click.ddl"), "id", "at", "visitor")


@pytest.fixture
def tables(shop: Any, contract: Contract) -> tuple[Holder, Holder]:
    """The tables of scored and rejected clicks, where v1 and v2 are asked about."""
    scored, rejected = holders(shop.config, contract, visitors_of({"v1": "line 1", "v2": "line 2"}, contract))
    return scored, rejected


def test_scored_clicks_are_told_by_their_visitor(spark: SparkSession, tables: tuple[Holder, Holder]) -> None:
    rows = [("c1", "v1", "f", 0), ("c2", "v12", "f", 0), ("c3", "v2", "f", 0), ("c4", "V1", "f", 0)]
    found = tables[0].find(spark.createDataFrame(rows, SCORED)).collect()
    assert {row.id: row[NUMBER] for row in found} == {"c1": 0, "c3": 1}


def test_scored_click_whose_key_or_header_names_a_visitor_is_found(
    spark: SparkSession, tables: tuple[Holder, Holder]
) -> None:
    rows = [
        ("c1", "v1", "t-0", 0, b"v2", None), ("c2", "v9", "t-0", 0, b"user/v2", None),
        ("c3", "v9", "t-0", 0, None, [("by", b"v1")]), ("c4", "v9", "t-0", 0, b"v22", [("v", b"v11"), ("w", None)]),
    ]  # fmt: skip
    found = tables[0].find(spark.createDataFrame(rows, SCORED + KEPT)).collect()
    assert {row.id: row[NUMBER] for row in found} == {"c1": 0, "c2": 1, "c3": 0}


def test_record_is_told_by_its_field_and_only_an_unreadable_one_by_its_words(
    spark: SparkSession, tables: tuple[Holder, Holder]
) -> None:
    raws = [
        '{"visitor": "v1", "price": "much"}', '{"visitor": "v9", "friend": "v1"}', '{"visitor": "v2"', "rubbish", None,
        '{"visitor": ["v2"]}',
    ]  # fmt: skip
    rows = [(raw, "wrong_type", "v1?" if raw == "rubbish" else "why", "f", batch) for batch, raw in enumerate(raws)]
    found = tables[1].find(spark.createDataFrame(rows, REJECTED)).collect()
    assert {row.batch_id: row[NUMBER] for row in found} == {0: 0, 2: 1, 3: 0, 5: 1}


def test_under_rules_of_privacy_the_hash_is_looked_for(spark: SparkSession, shop: Any, contract: Contract) -> None:
    private = replace(contract, protection=Protection({"visitor": Rule("hash")}, "masked", KEY))
    scored, rejected = holders(shop.config, private, visitors_of({"v1": "--id"}, private))
    stored = hashed("v1", KEY)
    rows = [("c1", stored, "f", 0), ("c2", "v1", "f", 0)]
    assert [row.id for row in scored.find(spark.createDataFrame(rows, SCORED)).collect()] == ["c1"]
    raws = [f'{{"visitor": "{stored}"}}', '{"visitor": "other"}', None]
    rejects = [(raw, "wrong_type", "why", "f", batch) for batch, raw in enumerate(raws)]
    assert [row.batch_id for row in rejected.find(spark.createDataFrame(rejects, REJECTED)).collect()] == [0]


def test_rows_are_counted_by_hash_source_and_micro_batch_and_rejected_ones_by_replay(
    spark: SparkSession, tables: tuple[Holder, Holder]
) -> None:
    found = spark.createDataFrame(
        [("f", 0, 0, None), ("f", 0, 0, None), ("g", 1, 1, 3)],
        f"source STRING, batch_id BIGINT, {NUMBER} INT, replay_id BIGINT",
    )
    hashes = spark.createDataFrame([(0, "h0"), (1, "h1")], f"{NUMBER} INT, visitor_hash STRING")
    scored, rejected = (count_rows(found, table, hashes).collect() for table in tables)
    assert sorted(tuple(row) for row in scored) == [
        ("h0", "scored_clicks", "f", 0, 2),
        ("h1", "scored_clicks", "g", 1, 1),
    ]
    assert sorted(tuple(row) for row in rejected) == [
        ("h0", "rejected_clicks", "f", 0, None, 2),
        ("h1", "rejected_clicks", "g", 1, 3, 1),
    ]
