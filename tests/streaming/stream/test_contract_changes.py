"""A contract that changes under tables that are there."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import TableError
from clickscore.stream import app
from clickscore.stream.contract_changes import apply_contract


@pytest.fixture
def with_fields(shop: Any) -> Callable[..., None]:
    def change(*replacements: tuple[str, str]) -> None:
        text = Path("tests/data/click.ddl").read_text()
        for old, new in replacements:
            text = text.replace(old, new)
        (shop.home / "click.ddl").write_text(text)
        shop.set(click={"schema": str(shop.home / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"})

    return change


def printed(act: Callable[[Console], object]) -> str:
    seen = StringIO()
    act(Console(file=seen, width=200))
    return seen.getvalue()


def test_plan_shows_what_has_changed_and_the_tables_are_changed_where_nothing_is_lost(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]], with_fields: Callable[..., None]
) -> None:
    shop.land("a.jsonl", make_click(1, ip="::1"), make_click(2, quantity=5_000_000_000, channel="mail"), "rubbish")
    shop.run(spark)
    more = "BIGINT, channel STRING COMMENT 'Where from', geo STRUCT<city: STRING>"
    with_fields(("quantity INT  ", f"quantity {more}"), ("visitor  STRING    NOT NULL", "visitor STRING NOT NULL"))
    seen = printed(lambda console: app.plan(shop.config, lambda: spark, console))
    name = f"delta.`{shop.home}/scored_clicks`"
    statements = [
        f"ALTER TABLE {name} SET TBLPROPERTIES ('delta.enableTypeWidening' = 'true')",
        f"ALTER TABLE {name} ALTER COLUMN `quantity` TYPE BIGINT",
    ]
    assert "quantity: widened from INT to BIGINT" in seen
    assert "channel: added, STRING" in seen
    assert all(f"{statement};" in seen for statement in statements)
    assert "of 2 recent records that click schema or features have rejected, 1 would be accepted now" in seen
    assert ": ip (33%)" in seen
    assert "the run would be refused" in seen

    done = printed(lambda console: apply_contract(spark, shop.config, console)).splitlines()
    assert done[:2] == statements
    assert len(done) == 4
    shop.land("b.jsonl", make_click(3, quantity=5_000_000_000, channel="mail", geo={"city": "Bern"}))
    shop.run(spark)
    rows = spark.read.format("delta").load(str(shop.home / "scored_clicks")).orderBy("id").collect()
    assert [(row["id"], row["quantity"], row["channel"], row["geo"]) for row in rows] == [
        ("c1", rows[0]["quantity"], None, None),
        ("c3", 5_000_000_000, "mail", ("Bern",)),
    ]
    assert "as they are" in printed(lambda console: apply_contract(spark, shop.config, console))

    with_fields(("price    DOUBLE", "price FLOAT"), ("quantity INT  ", f"quantity {more}, late STRING"))
    with pytest.raises(TableError, match="price: narrowed from DOUBLE to FLOAT; write DOUBLE in the click schema"):
        apply_contract(spark, shop.config, Console(file=StringIO()))
    assert "late" not in spark.read.format("delta").load(str(shop.home / "scored_clicks")).columns
