"""The table of a re-score belongs to one version of the clicks, and to nobody who was erased from them since."""

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from tests.support.histories import forget_history

from clickscore.batch.rescore import clicks_of
from clickscore.batch.rescored_table import prepare, version_of
from clickscore.batch.rescoring import Period
from clickscore.errors import TableError
from clickscore.storage.erasures import Erasures
from clickscore.storage.table import Table
from clickscore.stream.definition import read_definition

ABOUT = {"model": "url_model version 3", "features": "5e2f"}
"""Spark hides a property of a table with ``url`` in it."""
COUNTS = "visitor_hash STRING, table_name STRING, source STRING, batch_id BIGINT, rows BIGINT"


@dataclass(frozen=True)
class Site:
    """Tables of a shop with one scored click, and a re-score of it."""

    spark: SparkSession
    shop: Any

    def prepare(self, about: dict[str, str] | None = None) -> Table:
        layout = read_definition(self.shop.config).layout
        return prepare(self.spark, self.shop.config, layout, str(self.shop.home / "again"), Period(), about or ABOUT)

    def erase(self, table: str, version: int) -> None:
        """Write down that rows of a visitor were counted in a version of a table, to be erased."""
        ledger = Erasures.of(self.spark, Table(self.shop.config.output.scored), "stream", "k1")
        counts = self.spark.createDataFrame([("h1", table, "f", 0, 1)], COUNTS)
        ledger.plan(counts, {table: version}, None, ledger.newest())


@pytest.fixture
def site(spark: SparkSession, shop: Any, tmp_path: Path) -> Site:
    scored, layout = Table(shop.config.output.scored), read_definition(shop.config).layout
    scored.create(spark, layout.scored, ["batch_id"], {})
    row = dict.fromkeys(layout.scored.names) | {
        "id": "c1", "at": datetime(2026, 3, 1, tzinfo=timezone.utc), "visitor": "v1", "score": 0.5, "batch_id": 0,
        "model_name": "m", "model_version": "1", "scored_at": datetime(2026, 3, 1, tzinfo=timezone.utc),
    }  # fmt: skip
    scored.append(spark.createDataFrame([row], layout.scored))
    return Site(spark, shop)


def test_table_is_found_again_with_its_version_and_is_of_one_re_score(spark: SparkSession, site: Site) -> None:
    table = site.prepare()
    assert version_of(spark, table) == 1
    spark.sql(f"DELETE FROM {Table(site.shop.config.output.scored).sql_name}")
    assert version_of(spark, site.prepare()) == 1
    with pytest.raises(TableError, match=r"holds another re-score, .*url_model version 3.*; this one would be"):
        site.prepare({**ABOUT, "model": "url_model version 4"})


def test_clicks_that_were_erased_since_are_not_scored_again(site: Site) -> None:
    site.erase("scored_clicks", 0)
    site.erase("rejected_clicks", 7)
    site.prepare()
    site.erase("scored_clicks", 1)
    with pytest.raises(
        TableError, match=r"re-score of version 1 of .*, and rows were erased from that table since: .* Drop"
    ):
        site.prepare()


def test_version_whose_commits_are_trimmed_ends_the_re_score_with_a_message(spark: SparkSession, site: Site) -> None:
    scored = Table(site.shop.config.output.scored)
    table, version = site.prepare(), version_of(spark, site.prepare())
    assert clicks_of(spark, scored, version, table).count() == 1
    forget_history(spark, scored)
    with pytest.raises(TableError, match=r"made of version 1 of .*, which cannot be read any more: .* Drop"):
        clicks_of(spark, scored, version, table)
