"""Landing files of a real stream that are moved away after their audit."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import ConfigError
from clickscore.reconciliation import archive, audit


def archived(shop: Any, spark: SparkSession, **how: Any) -> tuple[bool, str]:
    seen = StringIO()
    folder = str(shop.home / "archive")
    is_clean = archive.run(shop.config, lambda: spark, Console(file=seen, width=200), folder, **how)
    return is_clean, seen.getvalue()


def test_read_files_are_moved_after_their_audit_and_neither_stream_nor_audit_misses_them(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    shop.land("day/1 %41#.jsonl", make_click(1), "rubbish")
    shop.land("2.jsonl", make_click(2))
    shop.run(spark)
    shop.land("3.jsonl", make_click(3))  # the stream has not read it
    there, landing = shop.home / "archive", shop.home / "landing"

    is_clean, seen = archived(shop, spark, dry_run=True)
    assert is_clean and "2 files that the stream has read would be moved" in seen
    assert not there.exists()

    (there / "day").mkdir(parents=True)
    (there / "2.jsonl").write_text("of another time")
    is_clean, seen = archived(shop, spark)
    assert is_clean and "1 file that the stream has read was moved" in seen
    assert f"1 file stays, as {there} has files of the same names, for instance 2.jsonl" in seen
    assert (there / "day" / "1 %41#.jsonl").read_text().count("\n") == 2
    assert (there / "2.jsonl").read_text() == "of another time"
    assert sorted(path.name for path in landing.rglob("*.jsonl")) == ["2.jsonl", "3.jsonl"]

    assert "1 scored" in shop.run(spark)
    assert shop.scored["id"].tolist() == ["c1", "c2", "c3"]
    out = StringIO()
    assert audit.run(shop.config, lambda: spark, Console(file=out, width=200), None, None)
    assert "1 file can no longer be counted: 2 rows are not checked" in out.getvalue()


def test_nothing_is_moved_while_an_audit_has_findings_and_the_archive_stands_apart(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]]
) -> None:
    shop.land("1.jsonl", make_click(1), make_click(2))
    shop.run(spark)
    spark.sql(f"DELETE FROM delta.`{shop.home / 'scored_clicks'}` WHERE id = 'c1'")
    is_clean, seen = archived(shop, spark)
    assert not is_clean
    assert "No file was moved" in seen and "1 missing" in seen
    assert (shop.home / "landing" / "1.jsonl").exists()
    for place in ("landing", "landing/old", "."):
        with pytest.raises(ConfigError, match="Name one beside it"):
            archive.run(shop.config, lambda: spark, Console(file=StringIO()), str(shop.home / place))
