"""Clicks of erased visitors that come later: refused in every job that writes them, counted, and gone in the audit."""

import json
import threading
from collections.abc import Callable
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.interruption import run_until
from tests.support.waiting import wait_until

from clickscore.erasure import erasure
from clickscore.errors import ConfigError
from clickscore.reconciliation import audit, replay
from clickscore.reconciliation.rescoring import Selection
from clickscore.scoring.privacy import id_of_key
from clickscore.scoring.privacy_rules import hashed
from clickscore.storage.erasures import Erasures
from clickscore.storage.table import Table
from clickscore.stream import app, refusals
from clickscore.stream.definition import read_definition
from clickscore.stream.refusals import Refusals

MakeClick = Callable[..., dict[str, Any]]
VARIABLE = "CLICKSCORE_TEST_LATER_KEY"
GONE, STAYS = "visitor!one@example.org", "visitor-two"
REFUSE = {"key": f"env:{VARIABLE}", "later": "refuse"}


@pytest.fixture
def left(shop: Any, spark: SparkSession, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shop that has erased a visitor, with one row of another one."""
    monkeypatch.setenv(VARIABLE, "c0ffee11" * 8)
    shop.set(erasure=REFUSE)
    shop.land("a.jsonl", make_click(1, visitor=GONE), make_click(2, visitor=STAYS))
    shop.run(spark)
    erase(shop, spark, GONE)
    return shop


def said(run: Callable[[Console], object]) -> tuple[object, str]:
    seen = StringIO()
    return run(Console(file=seen, width=200)), seen.getvalue()


def erase(shop: Any, spark: SparkSession, visitor: str) -> None:
    _, seen = said(lambda console: erasure.run(shop.config, lambda: spark, console, {visitor: "line 1"}, None, True))
    assert " erased." in seen


def audited(shop: Any, spark: SparkSession) -> tuple[object, str]:
    return said(lambda console: audit.run(shop.config, lambda: spark, console, None, None))


def is_scored(shop: Any, click: str) -> bool:
    return click in shop.scored["id"].tolist()


def names(shop: Any, visitor: str) -> bool:
    """Tell whether a row of the tables names a visitor."""
    return any(visitor in shop.table(name).to_csv() for name in ("scored_clicks", "rejected_clicks"))


def test_later_click_of_an_erased_visitor_is_refused_and_nothing_of_it_is_kept(
    left: Any, spark: SparkSession, make_click: MakeClick
) -> None:
    # Of somebody who was erased before a row of theirs had come, only the plan for outcomes knows.
    key, counts = b"c0ffee11" * 8, "visitor_hash STRING, table_name STRING, rows BIGINT"
    scored = Table(left.config.output.scored)
    ledger = Erasures.of(spark, scored, scored.stream(spark) or "", id_of_key(key))
    awaited = spark.createDataFrame([(hashed("not here yet", key), "outcomes", 0)], counts)
    ledger.plan(awaited, {"outcomes": 0}, None, ledger.newest())
    wrong = make_click(4, visitor=GONE, quantity="many")
    more = make_click(3, visitor=GONE), make_click(6, visitor="not here yet")
    left.land("b.jsonl", *more, wrong, make_click(5, visitor=STAYS), "rubbish")
    left.run(spark)
    assert left.scored["id"].tolist() == ["c2", "c5"]
    assert left.rejected[["reason", "raw"]].to_numpy().tolist() == [
        *[["erased_visitor", None]] * 3, ["malformed_json", "rubbish"]
    ]  # fmt: skip
    assert set(left.rejected["source"]) == {f"{left.landing.as_uri().replace('file:///', 'file:/')}/b.jsonl"}
    assert not names(left, GONE)

    is_green, report = audited(left, spark)
    assert is_green, report
    assert "refused: 3 records of visitors who had been erased before" in report
    assert "3 records, each in exactly one row, and 1 erased, and 3 refused." in report

    rejected = Table(left.config.output.rejected)
    rejected.append(rejected.read(spark).where("reason = 'erased_visitor'").limit(1))
    Table(left.config.output.scored).delta(spark).delete("id = 'c5'")
    is_green, report = audited(left, spark)
    assert not is_green
    assert "1 missing: the source has them, the tables do not (c5)" in report
    assert "1 row unexplained: the source has no such record" in report


@pytest.mark.parametrize("is_erased_meanwhile", [False, True])
def test_run_that_ends_between_its_commits_has_each_click_in_one_row_whoever_is_erased_meanwhile(
    left: Any, spark: SparkSession, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch, is_erased_meanwhile: bool
) -> None:
    left.land("b.jsonl", make_click(3, visitor=GONE), make_click(4, visitor="other"), make_click(5), "rubbish")
    run_until("scored", left, spark, monkeypatch, batch=1)
    assert left.scored["id"].tolist() == ["c2", "c4", "c5"]
    if is_erased_meanwhile:
        erase(left, spark, "other")
    left.run(spark)
    assert left.scored["id"].tolist() == ["c2", *([] if is_erased_meanwhile else ["c4"]), "c5"]
    assert not names(left, GONE)
    assert names(left, "other") != is_erased_meanwhile
    is_green, report = audited(left, spark)
    assert is_green, report


def test_running_stream_refuses_clicks_soon_after_an_erasure(
    left: Any, spark: SparkSession, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "LOOK_S", 0.0)
    left.set(trigger="100 milliseconds")
    left.land("b.jsonl", make_click(3, visitor="other"))
    seen, ended = StringIO(), threading.Event()

    def stream() -> None:
        app.run(left.config, lambda: spark, Console(file=seen, width=200))
        ended.set()

    beside = threading.Thread(target=stream)
    beside.start()
    try:
        wait_until(partial(is_scored, left, "c3"), patience_s=120)
        erase(left, spark, "other")
        number = 4
        while not (left.rejected["reason"] == "erased_visitor").any() and number < 30:
            left.land(f"c{number}.jsonl", make_click(number, visitor="other"), make_click(100 + number))
            wait_until(partial(is_scored, left, f"c{100 + number}"), patience_s=120)
            number += 1
    finally:
        for query in spark.streams.active:
            query.stop()
        beside.join(120)
    assert (left.rejected["reason"] == "erased_visitor").any(), seen.getvalue()


def test_backfill_refuses_them_as_the_stream_does(
    left: Any, spark: SparkSession, make_click: MakeClick, run_job: Callable[..., Any]
) -> None:
    folder = left.home / "archive"
    folder.mkdir()
    clicks = make_click(10, visitor=GONE), make_click(11, visitor=STAYS)
    (folder / "old.jsonl").write_text("".join(f"{json.dumps(click)}\n" for click in clicks))
    done = run_job("score_batch", "--config", str(left.config_file), "--files", str(folder))
    assert done.status == 0, done
    assert left.scored["id"].tolist() == ["c11", "c2"]
    assert left.rejected[["reason", "raw"]].to_numpy().tolist() == [["erased_visitor", None]]
    is_green, report = audited(left, spark)
    assert is_green, report


def test_replay_refuses_a_record_whose_visitor_is_known_only_now(
    left: Any, spark: SparkSession, make_click: MakeClick
) -> None:
    left.land("b.jsonl", {**make_click(3), "visitor": [GONE]}, {**make_click(4), "visitor": [STAYS]})
    left.run(spark)
    assert left.rejected["reason"].tolist() == ["wrong_type", "wrong_type"]
    table = Table(left.config.output.rejected).sql_name  # with keys, as those of a topic have them
    spark.sql(f"ALTER TABLE {table} ADD COLUMNS (source_key BINARY)")
    spark.sql(f"UPDATE {table} SET source_key = CAST('key of ' || raw AS BINARY)")
    roles = {"id": "id", "time": "at", "visitor": "visitor"}
    left.set(click={"schema": str(left.config.click.ddl), **roles, "from": {"visitor": "visitor[0]"}})
    _, seen = said(lambda console: replay.run(left.config, lambda: spark, console, Selection(), False))
    assert "erased_visitor 1" in seen
    assert left.scored["id"].tolist() == ["c4", "c2"]
    of_gone, of_stays = left.rejected.sort_values("source_offset").to_dict("records")
    assert (of_gone["reason"], of_gone["raw"], of_gone["source_key"]) == ("erased_visitor", None, None)
    assert of_stays["source_key"].startswith(b"key of")
    assert not names(left, GONE)


def test_visitors_under_another_key_are_accepted_and_the_run_says_so(
    left: Any, spark: SparkSession, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "deadbeef" * 8)
    left.land("b.jsonl", make_click(3, visitor=GONE))
    seen = " ".join(left.run(spark).split())
    assert "erasures knows 1 visitor under other keys than" in seen
    assert left.scored["id"].tolist() == ["c2", "c3"]
    plan = said(lambda console: app.plan(left.config, lambda: spark, console))[1]
    assert "later clicks of 0 erased visitors; those of 1, known under other keys, are accepted" in plan


def test_plan_says_how_many_visitors_are_refused(left: Any, spark: SparkSession) -> None:
    plan = said(lambda console: app.plan(left.config, lambda: spark, console))[1]
    assert "erased_visitor: later clicks of 1 erased visitors" in plan
    left.set(erasure={"key": f"env:{VARIABLE}"})
    assert "erased_visitor" not in said(lambda console: app.plan(left.config, lambda: spark, console))[1]


def test_accepted_click_comes_as_any_other(left: Any, spark: SparkSession, make_click: MakeClick) -> None:
    left.set(erasure={"key": f"env:{VARIABLE}"})
    left.land("b.jsonl", make_click(3, visitor=GONE))
    left.run(spark)
    assert left.scored["id"].tolist() == ["c2", "c3"]


def test_run_without_the_key_is_refused_before_anything_is_made(
    shop: Any, spark: SparkSession, make_click: MakeClick, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    shop.set(erasure=REFUSE)
    shop.land("a.jsonl", make_click(1))
    with pytest.raises(ConfigError, match=r"erasure\.key"):
        shop.run(spark)
    assert sorted(path.name for path in shop.home.iterdir()) == ["landing", "run.yaml"]


def test_ledger_that_cannot_be_read_is_told_and_stops_nothing(
    left: Any, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "LOOK_S", 0.0)
    told: list[str] = []
    known = Refusals.of(spark, left.config, told.append)
    [log] = Path(left.home / "erasures" / "_delta_log").glob("*00.json")
    log.rename(log.with_suffix(".aside"))
    for _ in range(2):
        known.look()
    [line] = told
    assert line.startswith(f"{left.home}/erasures cannot be read, so clicks of visitors that are erased from now on")
    assert known.applied(read_definition(left.config).contract).erased is not None
