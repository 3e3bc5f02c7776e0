"""The ledger: requests that are planned and not done, and two that begin at the same moment."""

from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from clickscore.errors import ErasureError
from clickscore.storage.erasures import Erasures, Request, name_of
from clickscore.storage.table import Table

VERSIONS = {"scored_clicks": 3, "rejected_clicks": 2}


def counts(spark: SparkSession, *rows: tuple[str, str, str, int, int]) -> DataFrame:
    schema = "visitor_hash STRING, table_name STRING, source STRING, batch_id BIGINT, rows BIGINT"
    return spark.createDataFrame([*rows], schema)


@pytest.mark.parametrize(
    ("table", "name"),
    [("build/demo/scored_clicks/", "scored_clicks"), ("s3://a/b.c", "b.c"), ("shop.`clicks`.`scored`", "scored"),
     ("scored", "scored")],
)  # fmt: skip
def test_ledger_names_a_table_without_its_folder_or_schema(table: str, name: str) -> None:
    assert name_of(Table(table)) == name


def test_request_is_unfinished_until_each_of_its_tables_is_done(spark: SparkSession, tmp_path: Path) -> None:
    ledger = Erasures.of(spark, Table(f"{tmp_path}/scored_clicks"), "stream", "k1")
    assert ledger.unfinished() == []
    found = counts(spark, ("h1", "scored_clicks", "f", 0, 2), ("h2", "rejected_clicks", "f", 1, 1))
    assert ledger.plan(found, VERSIONS, "letter 5") == 1
    both = ("rejected_clicks", "scored_clicks")
    [request] = ledger.unfinished()
    assert request == Request(1, "letter 5", "k1", frozenset({"h1", "h2"}), both)
    planned = ledger.planned(1, "scored_clicks").collect()
    assert [tuple(row) for row in planned] == [("h1", "f", 0, 2)]

    ledger.finish(request, "scored_clicks", 4)
    ledger.finish(request, "scored_clicks", 4)  # by another process, which was only asleep
    assert ledger.unfinished() == [Request(1, "letter 5", "k1", frozenset({"h1", "h2"}), ("rejected_clicks",))]
    ledger.finish(request, "rejected_clicks", None)
    assert ledger.unfinished() == []
    assert ledger.read().where("event = 'done'").count() == 2
    versions = ledger.read().where("event = 'planned'").select("table_name", "version").collect()
    assert {row.table_name: row.version for row in versions} == VERSIONS
    assert ledger.plan(found, VERSIONS, None) == 2


def test_of_two_requests_at_the_same_moment_one_plans_nothing(spark: SparkSession, tmp_path: Path) -> None:
    ledger = Erasures.of(spark, Table(f"{tmp_path}/scored_clicks"), "stream", "k1")
    found = counts(spark, ("h1", "scored_clicks", "f", 0, 2))
    ledger.plan(found, VERSIONS, None)
    # The other one has the next number already, and has not written yet when ours does.
    nothing = ledger.read().limit(0)
    ledger.table.append_once(nothing, f"{ledger.app}-planned", 2, {"erasure": 2})
    with pytest.raises(
        ErasureError, match=r"another erasure has begun at the same moment as number 2\. Nothing was erased"
    ):
        ledger.plan(found, VERSIONS, None)
    assert ledger.read().agg(F.max("erasure_id")).collect()[0][0] == 1
