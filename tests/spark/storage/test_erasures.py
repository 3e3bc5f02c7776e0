"""The ledger: requests that are planned and not done, and two that begin at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tests.support.waiting import held_back, wait_until

from clickscore.errors import ErasureError
from clickscore.storage.erasures import ERASURE, RETENTION, Erasures, Request, check_finished, known_visitors, name_of
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
    assert ledger.plan(found, VERSIONS, "letter 5", 0) == 1
    both = ("rejected_clicks", "scored_clicks")
    [request] = ledger.unfinished()
    assert request == Request(1, "letter 5", "k1", frozenset({"h1", "h2"}), both)
    planned = ledger.planned(1, "scored_clicks").select("visitor_hash", "source", "batch_id", "rows").collect()
    assert [tuple(row) for row in planned] == [("h1", "f", 0, 2)]

    ledger.finish(request, "scored_clicks", 4)
    ledger.finish(request, "scored_clicks", 4)  # by another process, which was only asleep
    assert ledger.unfinished() == [Request(1, "letter 5", "k1", frozenset({"h1", "h2"}), ("rejected_clicks",))]
    ledger.finish(request, "rejected_clicks", None)
    assert ledger.unfinished() == []
    assert ledger.read().where("event = 'done'").count() == 2
    versions = ledger.read().where("event = 'planned'").select("table_name", "version").collect()
    assert {row.table_name: row.version for row in versions} == VERSIONS
    assert ledger.plan(found, VERSIONS, None, 1) == 2


def test_request_is_done_also_after_a_later_one_of_the_same_table(spark: SparkSession, tmp_path: Path) -> None:
    ledger = Erasures.of(spark, Table(f"{tmp_path}/scored_clicks"), "stream", "k1")
    for newest in range(2):
        ledger.plan(counts(spark, ("h1", "scored_clicks", "f", 0, 2)), VERSIONS, None, newest)
    first, second = ledger.unfinished()
    ledger.finish(second, "scored_clicks", 5)
    ledger.finish(first, "scored_clicks", 6)
    assert ledger.unfinished() == []


def test_removal_of_old_rows_has_no_key_and_is_no_erasure(spark: SparkSession, tmp_path: Path) -> None:
    ledger = Erasures.of(spark, Table(f"{tmp_path}/scored_clicks"), "stream", None)
    found = counts(spark, ("h1", "scored_clicks", "f", 0, 2)).drop("visitor_hash")
    assert ledger.plan(found, VERSIONS, None, ledger.newest()) == 1
    assert ledger.unfinished(ERASURE) == []
    [removal] = ledger.unfinished(RETENTION)
    assert removal == Request(1, None, None, frozenset(), ("scored_clicks",))
    with pytest.raises(ErasureError, match="at the same moment as number 1"):
        ledger.plan(found, VERSIONS, None, 0)  # the rows were counted before the first removal
    scored, rejected = (Table(f"{tmp_path}/{name}_clicks") for name in ("scored", "rejected"))
    check_finished(spark, scored, rejected)
    with pytest.raises(ErasureError, match=r"request 1 is planned .* run jobs/maintain_tables\.py first"):
        check_finished(spark, scored, scored)
    ledger.finish(removal, "scored_clicks", 4)
    check_finished(spark, scored, scored)
    assert ledger.unfinished(RETENTION) == []
    assert [row.kind for row in ledger.read().select("kind").collect()] == ["retention", "retention"]


def test_of_two_requests_at_the_same_moment_one_plans_nothing(spark: SparkSession, tmp_path: Path) -> None:
    ledger = Erasures.of(spark, Table(f"{tmp_path}/scored_clicks"), "stream", "k1")
    found = counts(spark, ("h1", "scored_clicks", "f", 0, 2))
    ledger.plan(found, VERSIONS, None, 0)
    # The other one has the next number already, and has not written yet when ours does.
    nothing = ledger.read().limit(0)
    ledger.table.append_once(nothing, f"{ledger.app}-planned", 2, {"erasure": 2})
    with pytest.raises(
        ErasureError, match=r"another erasure has begun at the same moment as number 2\. Nothing was removed"
    ):
        ledger.plan(found, VERSIONS, None, 1)
    assert ledger.read().agg(F.max("erasure_id")).collect()[0][0] == 1


def test_erased_visitors_are_known_under_the_key_that_is_asked_for(spark: SparkSession, tmp_path: Path) -> None:
    scored = Table(f"{tmp_path}/scored_clicks")
    ledger = Erasures.of(spark, scored, "stream", "k1")
    assert known_visitors(spark, ledger.table, "k1") == (frozenset(), 0)
    first = counts(spark, ("h1", "scored_clicks", "f", 0, 2), ("h1", "rejected_clicks", "f", 1, 1))
    ledger.plan(first, VERSIONS, None, 0)
    other = Erasures.of(spark, scored, "stream", "k2")
    other.plan(counts(spark, ("h2", "scored_clicks", "f", 0, 2)), VERSIONS, None, 1)
    ledger.finish(Request(1, None, "k1", frozenset({"h1"}), ("scored_clicks",)), "scored_clicks", 4)
    expired = spark.createDataFrame(
        [("scored_clicks", "f", 0, 2)], "table_name STRING, source STRING, batch_id BIGINT, rows BIGINT"
    )
    Erasures.of(spark, scored, "stream", None).plan(expired, VERSIONS, None, 2)
    assert known_visitors(spark, ledger.table, "k1") == (frozenset({"h1"}), 1)
    assert known_visitors(spark, ledger.table, "k2") == (frozenset({"h2"}), 1)


def test_of_two_requests_in_the_same_transaction_one_plans_nothing(spark: SparkSession, tmp_path: Path) -> None:
    ledger = Erasures.of(spark, Table(f"{tmp_path}/scored_clicks"), "stream", "k1")
    found = counts(spark, ("h1", "scored_clicks", "f", 0, 2))
    ledger.plan(found, VERSIONS, None, 0)
    begun, go = tmp_path / "begun", tmp_path / "go"
    with ThreadPoolExecutor(1) as aside:
        # Its transaction has begun when its rows are computed, and ends after that of the other one.
        slow = aside.submit(ledger.plan, held_back(found, begun, go), VERSIONS, "slow", 1)
        try:
            wait_until(begun.exists)
            assert ledger.plan(found, VERSIONS, "fast", 1) == 2
        finally:
            go.touch()
        with pytest.raises(ErasureError, match="another erasure has begun at the same moment as number 2"):
            slow.result()
    assert [request.reference for request in ledger.unfinished()] == [None, "fast"]
    assert ledger.planned(2, "scored_clicks").count() == 1
