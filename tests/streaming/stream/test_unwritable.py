"""Rows that the table of scored clicks does not take are rejected; the others, and the stream, go on."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.support.interruption import run_until

from clickscore.errors import TableError
from clickscore.storage.table import Table

MakeClick = Callable[..., dict[str, Any]]


@pytest.fixture
def with_table(spark: SparkSession, shop: Any, make_click: MakeClick) -> Any:
    """A shop with one scored click, whose table anybody may alter."""
    shop.land("a.jsonl", make_click(1))
    shop.run(spark)
    shop.alter = lambda change, name="scored_clicks": spark.sql(f"ALTER TABLE delta.`{shop.home / name}` {change}")
    return shop


def reasons(shop: Any) -> list[tuple[str, str]]:
    rejected = shop.rejected
    return list(zip(rejected["reason"], rejected["detail"], strict=True))


def test_click_that_breaks_a_check_constraint_is_rejected(
    spark: SparkSession, with_table: Any, make_click: MakeClick
) -> None:
    with_table.alter("ADD CONSTRAINT no_refund CHECK (price >= 0)")
    with_table.alter("ADD CONSTRAINT of_a_model CHECK (model_version IS NOT NULL AND batch_id >= 0)")
    with_table.land("b.jsonl", make_click(2), make_click(3, price=-1.0), make_click(4, price=None), "rubbish")
    assert "2 rejected" not in (seen := with_table.run(spark))
    assert "3 rejected" in seen
    assert with_table.scored["id"].tolist() == ["c1", "c2"]
    assert reasons(with_table)[:2] == [("constraint_violated", "breaks no_refund (price >= 0)")] * 2
    assert "nothing new" in with_table.run(spark)


def test_click_that_breaks_a_constraint_is_rejected_once_over_an_end_between_the_two_commits(
    spark: SparkSession, with_table: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_table.alter("ADD CONSTRAINT no_refund CHECK (price >= 0)")
    with_table.land("b.jsonl", make_click(2), make_click(3, price=-1.0), make_click(2))
    run_until("scored", with_table, spark, monkeypatch, batch=1)
    with_table.run(spark)
    assert with_table.scored["id"].tolist() == ["c1", "c2", "c2"]
    assert reasons(with_table) == [("constraint_violated", "breaks no_refund (price >= 0)")]


def test_constraint_that_is_added_under_the_running_stream_is_respected_from_then_on(
    spark: SparkSession, with_table: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_table.land("b.jsonl", make_click(2), make_click(3, price=-1.0))
    append, altered = Table.append, []

    def alter_and_append(table: Table, rows: Any, *arguments: Any) -> None:
        if not altered and table.name.endswith("scored_clicks"):
            altered.append(with_table.alter("ADD CONSTRAINT no_refund CHECK (price >= 0)"))
        append(table, rows, *arguments)

    monkeypatch.setattr(Table, "append", alter_and_append)
    with_table.run(spark)
    assert with_table.scored["id"].tolist() == ["c1", "c2"]
    assert reasons(with_table) == [("constraint_violated", "breaks no_refund (price >= 0)")]


def test_click_on_which_a_generated_column_fails_is_found_and_rejected_with_the_words_of_the_engine(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1))
    shop.run(spark)
    template = spark.read.format("delta").load(str(shop.home / "scored_clicks")).schema
    other = shop.home / "other" / "scored_clicks"
    columns = [f"`{field.name}` {field.dataType.simpleString()}" for field in template]
    # Without ANSI mode, few expressions fail; the element with the number 0 is one of them.
    columns.append("number INT GENERATED ALWAYS AS (element_at(array(10), CAST(substring(visitor, 2) AS INT)))")
    spark.sql(f"CREATE TABLE delta.`{other}` ({', '.join(columns)}) USING delta")
    outputs = {"scored": str(other), "rejected": str(shop.home / "other" / "rejected_clicks")}
    shop.set(output=outputs, checkpoint=str(shop.home / "other" / "checkpoint"))
    bad = [make_click(100 + number, visitor="v0") for number in (0, 25, 49)]
    shop.land("b.jsonl", *[make_click(number, visitor="v1") for number in range(2, 50)], *bad)
    seen = shop.run(spark)
    assert "does not take 3 of 52 clicks" in seen
    rows = spark.read.format("delta").load(str(other))
    assert rows.where("number = 10").count() == rows.count() == 49
    rejected = spark.read.format("delta").load(outputs["rejected"]).collect()
    assert [row.reason for row in rejected] == ["unwritable"] * 3
    assert all("INVALID_INDEX_OF_ZERO" in row.detail and "\n" not in row.detail for row in rejected)
    assert {row.raw.split('"')[3] for row in rejected} == {"c100", "c125", "c149"}
    assert not list((shop.home / "other" / "checkpoint").glob("clickscore-trial/*"))


@pytest.mark.parametrize("name", ["rejected_clicks", "model_timeline"])
def test_constraint_on_a_table_that_must_take_every_row_is_refused_before_the_first_micro_batch(
    spark: SparkSession, with_table: Any, make_click: MakeClick, name: str
) -> None:
    with_table.alter("ADD CONSTRAINT few CHECK (batch_id < 9)" if name == "rejected_clicks" else
                     "ADD CONSTRAINT few CHECK (from_batch < 9)", name)  # fmt: skip
    with_table.land("b.jsonl", make_click(2))
    with pytest.raises(TableError, match=rf"{name} has constraints: few .* DROP CONSTRAINT"):
        with_table.run(spark)
