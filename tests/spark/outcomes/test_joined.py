"""Clicks of a day in March; a visit is followed for an hour. Times are minutes since noon."""

from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import ConfigError, TableError
from clickscore.outcomes import joined
from clickscore.storage.table import Table

NOON = datetime(2026, 3, 1, 12)
OUTCOME = {"success": "price > 100", "unit": "session", "session": "visit", "window": "60 minutes"}
STREAM = {"clickscore.stream": "one"}
DDL = "id STRING, visit STRING, at TIMESTAMP, price DOUBLE, scored_at TIMESTAMP"


class Visits:
    """The clicks of a shop in scored_clicks, and the outcomes of its visits."""

    def __init__(self, spark: SparkSession, shop: Any) -> None:
        self.spark, self.shop = spark, shop
        self.scored, self.table = Table(f"{shop.home}/scored_clicks"), Table(f"{shop.home}/outcomes")
        shop.set(outcome=OUTCOME)

    def score(self, *clicks: tuple[str | None, int, float]) -> None:
        rows = [(f"{visit}{minute}", visit, NOON + timedelta(minutes=minute), price, NOON + timedelta(days=9))
                for visit, minute, price in clicks]  # fmt: skip
        self.scored.append(self.spark.createDataFrame(rows, DDL).coalesce(1))
        self.scored.set_properties(self.spark, STREAM)

    def join(self, has_ended: bool = False) -> str:
        said = StringIO()
        joined.run(self.shop.config, lambda: self.spark, Console(file=said, width=200), has_ended)
        return said.getvalue().strip()

    def outcomes(self) -> dict[str, tuple[str, bool | None, int]]:
        rows = self.table.read(self.spark).select("unit_id", "state", "success", "clicks").collect()
        return {unit: tuple(rest) for unit, *rest in rows}

    def commits(self) -> int:
        return int(self.table.delta(self.spark).history().where("operation = 'MERGE'").count())


@pytest.fixture
def visits(spark: SparkSession, shop: Any) -> Visits:
    return Visits(spark, shop)


def test_outcomes_follow_the_clicks_and_only_what_changes_is_written(visits: Visits) -> None:
    visits.score(("a", 0, 10.0), ("a", 5, 200.0), ("b", 3, 10.0), ("c", 50, 10.0), (None, 58, 10.0))
    assert visits.join() == "outcomes: 3 written; now 3 open"
    visits.score(("d", 63, 10.0))
    assert visits.join() == "outcomes: 3 written; now 2 closed, 2 open"
    assert visits.outcomes() == {
        "a": ("closed", True, 2), "b": ("closed", False, 1), "c": ("open", None, 1), "d": ("open", None, 1),
    }  # fmt: skip
    assert visits.join() == "outcomes: 0 written; now 2 closed, 2 open"
    visits.score(("b", 7, 300.0), ("a", 61, 10.0))
    assert visits.join() == "outcomes: 1 written; now 2 closed, 2 open"
    assert visits.outcomes()["b"] == ("closed", True, 2)

    visits.scored.delta(visits.spark).optimize().executeCompaction()
    assert visits.join() == "outcomes: 0 written; now 2 closed, 2 open"
    assert visits.join(has_ended=True) == "outcomes: 2 written; now 2 censored, 2 closed"
    visits.score(("d", 64, 300.0), ("e", 200, 10.0))
    assert visits.join() == "outcomes: 3 written; now 4 closed, 1 open"


def test_outcome_stays_when_clicks_are_deleted_and_is_censored_if_there_was_none(visits: Visits) -> None:
    visits.score(("a", 0, 200.0), ("a", 30, 10.0), ("b", 55, 10.0), ("c", 56, 10.0), ("c", 57, 10.0), ("d", 60, 10.0))
    visits.score(("e", 0, 10.0), ("e", 1, 200.0))
    visits.join()
    visits.scored.delta(visits.spark).delete("id IN ('a0', 'b55', 'c56', 'e1')")
    visits.join()
    assert visits.outcomes() == {
        "a": ("closed", True, 2), "b": ("censored", None, 1), "c": ("censored", None, 2), "d": ("open", None, 1),
        "e": ("closed", True, 2),
    }  # fmt: skip
    assert visits.join() == "outcomes: 0 written; now 2 censored, 2 closed, 1 open"


@pytest.mark.parametrize("step", ["bind", "merge"])
def test_run_that_is_killed_leaves_what_the_next_one_completes(
    visits: Visits, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits.score(("a", 0, 200.0), ("b", 3, 10.0), ("c", 70, 10.0))
    whole = getattr(joined, step)

    def killed(*arguments: Any) -> None:
        whole(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(joined, step, killed)
        with pytest.raises(KeyboardInterrupt):
            visits.join()
    said = visits.join()
    assert said.endswith("now 2 closed, 1 open")
    assert visits.outcomes() == {"a": ("closed", True, 1), "b": ("closed", False, 1), "c": ("open", None, 1)}
    assert visits.table.read(visits.spark).count() == 3


def test_run_that_a_newer_one_has_overtaken_is_made_good_by_the_next(
    visits: Visits, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits.score(("a", 0, 10.0), ("b", 70, 10.0))
    visits.join()
    late, merge = ("a", 8, 200.0), joined.merge

    def overtaken(*arguments: Any) -> int:
        monkeypatch.setattr(joined, "merge", merge)
        visits.score(late)
        visits.join()
        return merge(*arguments)

    visits.score(("c", 71, 10.0))
    monkeypatch.setattr(joined, "merge", overtaken)
    visits.join()
    visits.join()
    assert visits.outcomes() == {"a": ("closed", True, 2), "b": ("open", None, 1), "c": ("open", None, 1)}


def test_version_that_is_not_known_any_more_lets_the_next_run_look_at_all_clicks(visits: Visits) -> None:
    visits.score(("a", 0, 10.0))
    assert joined.added(visits.spark, visits.scored, visits.scored.read(visits.spark), 99) is None


def test_table_of_another_stream_or_definition_or_for_appends_alone_is_refused(visits: Visits) -> None:
    visits.score(("a", 0, 10.0))
    visits.join()
    visits.shop.set(outcome={**OUTCOME, "success": "price > 1"})
    with pytest.raises(TableError, match=r"another definition: expected .*price > 1.*, found .*price > 100"):
        visits.join()
    visits.shop.set(outcome=OUTCOME)
    visits.table.set_properties(visits.spark, {"delta.appendOnly": "true"})
    with pytest.raises(TableError, match=r"delta\.appendOnly, and its rows change as more becomes known"):
        visits.join()
    visits.scored.set_properties(visits.spark, {"clickscore.stream": "two"})
    with pytest.raises(TableError, match="is of another stream: expected two, found one"):
        visits.join()


def test_what_cannot_work_is_told_before_a_table_is_made(visits: Visits) -> None:
    with pytest.raises(TableError, match=r"scored_clicks does not exist\. Run jobs/score_stream\.py first"):
        visits.join()
    visits.score(("a", 0, 10.0))
    for wrong, message in (
        ({"session": "vizit"}, r"a click has no field vizit; did you mean visit\?"),
        ({"success": "prize > 1"}, r"outcome\.success: expected a Spark SQL condition"),
    ):
        visits.shop.set(outcome={**OUTCOME, **wrong})
        with pytest.raises(ConfigError, match=message):
            visits.join()
    visits.shop.set(outcome=None)
    with pytest.raises(ConfigError, match="outcome: missing; it says what a success is"):
        visits.join()
    assert not visits.table.exists(visits.spark)


def test_job_says_what_it_did_or_what_is_missing(visits: Visits, run_job: Callable[..., Any]) -> None:
    config = ["--config", str(visits.shop.config_file)]
    missing = run_job("join_outcomes", *config)
    assert missing.status == 2
    assert "scored_clicks does not exist. Run jobs/score_stream.py first." in missing.err
    visits.score(("a", 0, 10.0))
    done = run_job("join_outcomes", *config, "--ended")
    assert (done.status, done.out) == (0, "outcomes: 1 written; now 1 censored\n")
