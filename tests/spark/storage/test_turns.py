"""Turns of a real table."""

from pathlib import Path

from pyspark.sql import SparkSession

from clickscore.storage import turns
from clickscore.storage.commit_settings import commit_settings
from clickscore.storage.table import Table


def merge(spark: SparkSession, table: Table, turn: int | None, number: int) -> bool:
    """Add a number after a turn; tell whether that had an effect."""
    with commit_settings(spark, turns.after(turn)):
        news = spark.range(number, number + 1)
        done = table.delta(spark).alias("old").merge(news.alias("new"), "old.id = new.id").whenNotMatchedInsertAll()
        return done.execute().first() is not None


def test_commit_that_knew_an_older_turn_has_no_effect(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(str(tmp_path / "numbers"))
    table.append(spark.range(1))
    first = turns.newest(spark, table)
    assert merge(spark, table, first, 1)
    assert not merge(spark, table, first, 2)
    before = turns.newest(spark, table)
    turns.take(spark, table)
    assert not merge(spark, table, before, 3)
    turns.take(spark, table)
    assert merge(spark, table, turns.newest(spark, table), 4)
    assert sorted(row.id for row in table.read(spark).collect()) == [0, 1, 4]


def test_where_turns_are_unknown_commits_have_an_effect() -> None:
    assert turns.after(None) == {}
