"""What differs between the columns of a run and a table, and what makes up for it."""

import pytest
from pyspark.sql import types as T

from clickscore.scoring.contract import parse_ddl
from clickscore.storage.arrow_types import as_spark
from clickscore.storage.schema_changes import WIDENING, Change, changes, is_wider, statements


def columns(ddl: str) -> T.StructType:
    return as_spark(parse_ddl(ddl, "the test"))


def changed(contract: str, table: str) -> list[Change]:
    return changes(columns(contract), columns(table), ("replay_id",))


def kind(name: str) -> T.DataType:
    return columns(f"a {name}")["a"].dataType


def test_same_columns_have_no_changes() -> None:
    assert changed("a INT, b STRUCT<c: ARRAY<INT>> NOT NULL", "b STRUCT<c: ARRAY<INT>>, a INT, replay_id BIGINT") == []


@pytest.mark.parametrize(
    ("contract", "table", "what", "action"),
    [
        ("a INT, b STRING NOT NULL COMMENT 'it''s'", "a INT", "b: added, STRING",
         r"ADD COLUMNS (`b` string COMMENT 'it\'s')"),
        ("s STRUCT<a: INT, b: INT>", "s STRUCT<a: INT>", "s.b: added, INT", "ADD COLUMNS (`s`.`b` int AFTER `a`)"),
        ("s STRUCT<b: INT, a: INT>", "s STRUCT<a: INT>", "s.b: added, INT", "ADD COLUMNS (`s`.`b` int FIRST)"),
        ("s ARRAY<STRUCT<a: INT, `x.y`: INT>>", "s ARRAY<STRUCT<a: INT>>", "s.element.x.y: added, INT",
         "ADD COLUMNS (`s`.`element`.`x.y` int AFTER `a`)"),
        ("a INT, s STRUCT<b: INT NOT NULL> NOT NULL", "a INT", "s: added, struct<b:int>",
         "ADD COLUMNS (`s` STRUCT<`b`: int>)"),
        ("m MAP<STRING, BIGINT>", "m MAP<STRING, INT>", "m.value: widened from INT to BIGINT",
         "ALTER COLUMN `m`.`value` TYPE BIGINT"),
        ("a DECIMAL(12,4)", "a DECIMAL(10,2)", "a: widened from DECIMAL(10,2) to DECIMAL(12,4)",
         "ALTER COLUMN `a` TYPE DECIMAL(12,4)"),
        ("a INT", "a INT NOT NULL", "a: may be null now", "ALTER COLUMN `a` DROP NOT NULL"),
        ("a INT", "a INT, b INT NOT NULL", "b: removed; the column stays, may be null, and is null in new rows",
         "ALTER COLUMN `b` DROP NOT NULL"),
        ("a INT", "a INT, b INT", "b: removed; the column stays, and is null in new rows", None),
    ],
)  # fmt: skip
def test_change_without_a_loss_has_its_statement(contract: str, table: str, what: str, action: str | None) -> None:
    [change] = changed(contract, table)
    assert (change.what, change.action, change.way_out) == (what, action, None)


@pytest.mark.parametrize(
    ("contract", "table", "what", "way_out"),
    [
        ("a INT", "a BIGINT", "a: narrowed from BIGINT to INT", "write BIGINT in the click schema"),
        ("a INT", "a STRING", "a: changed from STRING to INT", "write STRING in the click schema"),
        ("a STRUCT<b: INT>", "a STRUCT<b: INT, c: INT>", "a.c: removed from a STRUCT", "keep it in the click schema"),
        ("a STRUCT<b: INT, c: INT>", "a STRUCT<c: INT, b: INT>", "a: its fields stand in another order",
         "write them in the order of the table: c, b"),
        ("Price INT", "price INT", "Price: the table spells it price", "write price in the click schema"),
    ],
)  # fmt: skip
def test_change_that_would_lose_something_has_a_way_out_and_no_statement(
    contract: str, table: str, what: str, way_out: str
) -> None:
    change, *others = changed(contract, table)
    assert (change.what, change.action) == (what, None)
    assert str(change.way_out).startswith(way_out)
    assert statements("t", [change, *others], {}) == []


@pytest.mark.parametrize(
    ("new", "old", "wider"),
    [
        ("BIGINT", "INT", True), ("INT", "BIGINT", False), ("SMALLINT", "TINYINT", True), ("INT", "INT", False),
        ("DOUBLE", "FLOAT", True), ("DOUBLE", "INT", True), ("DOUBLE", "BIGINT", False), ("FLOAT", "INT", False),
        ("DECIMAL(10,0)", "INT", True), ("DECIMAL(10,1)", "INT", False), ("DECIMAL(20,0)", "BIGINT", True),
        ("DECIMAL(12,2)", "DECIMAL(10,2)", True), ("DECIMAL(12,4)", "DECIMAL(10,2)", True),
        ("DECIMAL(11,4)", "DECIMAL(10,2)", False), ("DECIMAL(10,2)", "DECIMAL(10,2)", False),
        ("DECIMAL(12,1)", "DECIMAL(10,2)", False), ("STRING", "INT", False), ("DECIMAL(20,0)", "DOUBLE", False),
    ],
)  # fmt: skip
def test_wider_is_what_delta_changes_without_a_loss(new: str, old: str, wider: bool) -> None:
    assert is_wider(kind(new), kind(old)) is wider


def test_statements_set_the_property_that_widening_needs_once_and_first() -> None:
    found = changed("a BIGINT, b STRING", "a INT")
    assert statements("`t`", found, {}) == [
        "ALTER TABLE `t` SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')",
        "ALTER TABLE `t` ALTER COLUMN `a` TYPE BIGINT",
        "ALTER TABLE `t` ADD COLUMNS (`b` string)",
    ]
    assert len(statements("`t`", found, WIDENING)) == 2
