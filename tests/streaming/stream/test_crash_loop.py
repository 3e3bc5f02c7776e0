"""A micro-batch at which each run ends the same way is told in one message, with what can be done."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import SparkSession

from clickscore.errors import StreamError
from clickscore.storage.table import Table

MakeClick = Callable[..., dict[str, Any]]


def fail(patch: pytest.MonkeyPatch, words: str) -> None:
    """Let the scored clicks be refused for a reason that no code knows."""
    append = Table.append

    def refuse(table: Table, *arguments: Any) -> None:
        if table.name.endswith("scored_clicks"):
            raise ArithmeticError(words)
        append(table, *arguments)

    patch.setattr(Table, "append", refuse)


def test_third_run_that_ends_at_the_same_micro_batch_says_what_can_be_done(
    spark: SparkSession, shop: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("a.jsonl", make_click(1))
    shop.run(spark)
    shop.land("b.jsonl", make_click(2))
    shop.land("c.jsonl", make_click(3))
    with monkeypatch.context() as until_mended:
        fail(until_mended, "nobody has seen this before")
        for _ in range(2):
            with pytest.raises(StreamingQueryException):
                shop.run(spark)
        for runs in (3, 4):
            with pytest.raises(StreamError) as caught:
                shop.run(spark)
            said = str(caught.value)
            assert said.startswith(f"batch 1 has failed in {runs} runs in a row")
            assert "ArithmeticError: nobody has seen this before" in said
            assert f"2 files: {shop.landing}/b.jsonl, {shop.landing}/c.jsonl" in said
            assert "move the file that causes this out of the landing folder" in said
            assert "Traceback" not in said
    assert "batch 1 was begun by 4 runs in a row" in shop.run(spark)
    shop.land("d.jsonl", make_click(4))
    with monkeypatch.context() as until_mended:  # the count begins anew with the next micro-batch
        fail(until_mended, "odd")
        for _ in range(2):
            with pytest.raises(StreamingQueryException):
                shop.run(spark)
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c2", "c3", "c4"]


def test_file_that_is_moved_away_lets_the_stream_go_on(
    spark: SparkSession, shop: Any, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("a.jsonl", make_click(1))
    bad = shop.land("b.jsonl", make_click(2))
    with monkeypatch.context() as until_mended:
        fail(until_mended, "odd")
        with pytest.raises(StreamingQueryException):
            shop.run(spark)
    bad.rename(shop.home / "aside")
    assert "rejects as a whole what was moved or deleted before it was read (1)" in shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1"]
    assert shop.rejected["reason"].tolist() == ["unreadable_file"]
