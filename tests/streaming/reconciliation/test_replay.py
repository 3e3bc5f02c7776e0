"""Rejected clicks are replayed over real tables that a real stream has written."""

import json
from collections.abc import Callable
from datetime import datetime, timezone
from io import StringIO
from typing import Any

import deltalake
import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.errors import ModelNotFoundError, TableError
from clickscore.reconciliation import audit, replay
from clickscore.reconciliation.rescoring import Selection
from clickscore.storage.schemas import rejected_clicks
from clickscore.storage.table import Table
from clickscore.stream.definition import read_definition

MakeClick = Callable[..., dict[str, Any]]
STRICT = "INT NOT NULL COMMENT"
NO_UTF8 = b'{"id": "c20", "visitor": "\xe4\xff"}'


def replayed(shop: Any, spark: SparkSession, dry_run: bool = False, **selection: Any) -> str:
    seen = StringIO()
    replay.run(shop.config, lambda: spark, Console(file=seen, width=200), Selection(**selection), dry_run)
    return seen.getvalue()


def versions(shop: Any) -> list[int]:
    return [deltalake.DeltaTable(str(shop.home / name)).version() for name in ("scored_clicks", "rejected_clicks")]


def row_of(seen: str, reason: str) -> list[str]:
    return next([cell.strip() for cell in line.split("│")[2:-1]] for line in seen.splitlines() if f" {reason} " in line)


def ask_for_quantity(shop: Any) -> Callable[[], object]:
    """Give the shop a contract in which the quantity is required; return what makes it optional again."""
    ddl, tolerant = shop.home / "click.ddl", shop.config.click.ddl.read_text()
    ddl.write_text(tolerant.replace("INT                COMMENT", STRICT))
    assert STRICT in ddl.read_text()
    shop.set(click={"schema": str(ddl), "id": "id", "time": "at", "visitor": "visitor"})
    return lambda: ddl.write_text(tolerant)


def without_quantity(click: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in click.items() if key != "quantity"}


def test_clicks_that_a_mended_contract_accepts_are_scored_once_and_the_others_stay(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    mend = ask_for_quantity(shop)
    strays = [without_quantity(make_click(number)) for number in (10, 11, 12, 12)]  # two of them are the same
    twice = json.dumps(without_quantity(make_click(13))).replace("{", '{"visitor": "v0", ')
    shop.land("a.jsonl", *map(make_click, range(3)), *strays, twice, "rubbish", NO_UTF8)
    shop.land_bytes("b.jsonl.gz", b"this is no gzip")
    shop.run(spark)
    assert (len(shop.scored), len(shop.rejected)) == (3, 8)
    before = shop.rejected

    # Mended, in the files and in the table, as the stream asks for it.
    mend()
    with pytest.raises(TableError, match="quantity: may be null, but the table says NOT NULL"):
        replayed(shop, spark)
    spark.sql(f"ALTER TABLE delta.`{shop.home}/scored_clicks` ALTER COLUMN quantity DROP NOT NULL")

    untouched = versions(shop)
    seen = replayed(shop, spark, dry_run=True)
    assert row_of(seen, "missing_field") == ["5", "4", "1", "duplicate_key 1"]
    assert row_of(seen, "invalid_encoding") == ["1", "0", "1", "invalid_encoding 1"]
    assert row_of(seen, "unreadable_file") == ["1", "0", "1", "fix the file and land it under a new name"]
    assert "would be resolved" in seen
    assert "4 clicks would be scored by small_model version 1" in seen
    assert versions(shop) == untouched

    seen = replayed(shop, spark)
    assert row_of(seen, "missing_field") == ["5", "4", "1", "duplicate_key 1"]
    assert "Replay 1: 4 clicks are scored by small_model version 1, with batch_id -1." in seen
    late = shop.scored[shop.scored["batch_id"] < 0]
    assert sorted(late["id"]) == ["c10", "c11", "c12", "c12"]
    assert set(late["batch_id"]) == {-1}
    assert set(late["model_version"]) == {"1"}
    assert [source.endswith("a.jsonl") for source in late["source"]] == [True] * 4
    rejected = shop.rejected
    done = rejected[rejected["replay_id"] == 1]
    assert sorted(json.loads(raw)["id"] for raw in done["raw"]) == ["c10", "c11", "c12", "c12"]
    assert set(done["reason"]) == {"missing_field"}
    assert done["resolved_at"].notna().all()
    stay = rejected[rejected["replay_id"].isna()].set_index("reason")
    assert sorted(stay.index) == ["duplicate_key", "invalid_encoding", "malformed_json", "unreadable_file"]
    assert stay["resolved_at"].isna().all()
    assert stay.loc["duplicate_key", "raw"] == twice
    assert stay.loc["duplicate_key", "detail"] == "expected each key once, found visitor twice"
    assert stay.loc["invalid_encoding", "raw"].encode("iso-8859-1") == NO_UTF8
    for column in ("raw", "source", "received_at", "batch_id"):
        assert sorted(map(str, rejected[column])) == sorted(map(str, before[column]))

    once = versions(shop)
    assert "No click has passed." in replayed(shop, spark)
    assert "No open record" in replayed(shop, spark, reasons=("missing_field",))
    assert versions(shop) == once

    # The stream goes on where it was, and scores the same click in the same way.
    shop.land("c.jsonl", strays[0], "more rubbish")
    assert "2 records in 1 micro-batch: 1 scored, 1 rejected" in shop.run(spark)
    scored = shop.scored
    assert (len(scored), len(shop.rejected)) == (8, 9)
    assert scored[scored["id"] == "c10"]["score"].nunique() == 1
    assert sorted(scored["batch_id"].unique()) == [-1, 0, 1]
    assert "Nothing has changed; without --dry-run, 0 clicks" in replayed(
        shop, spark, True, reasons=("malformed_json",)
    )


def test_clicks_that_the_model_fails_on_stay_with_what_it_does_now(
    spark: SparkSession, moody: Any, make_click: MakeClick
) -> None:
    prices = {"c1": 1.0, "c2": moody.raises, "c3": moody.dies, "c4": moody.hangs}
    now = datetime.now(timezone.utc)
    clicks = [json.dumps(make_click(n, price=prices[f"c{n}"], quantity=n)) for n in range(1, 5)]
    rows = [(click, "scoring_failed", "once", "file", None, now, 0) for click in clicks]
    moody.land("a.jsonl", make_click(0))
    moody.run(spark)
    Table(moody.config.output.rejected).append(spark.createDataFrame(rows, rejected_clicks()))
    assert row_of(replayed(moody, spark), "scoring_failed") == ["4", "1", "3", "scoring_failed 3"]
    assert moody.scored[["id", "score", "batch_id"]].to_numpy().tolist() == [["c1", 1.0, -1], ["c0", 1.0, 0]]
    stay = moody.rejected[moody.rejected["replay_id"].isna()]
    assert {json.loads(row.raw)["id"]: row.detail for row in stay.itertuples()} == {
        "c2": "ValueError: what is this?",
        "c3": "ProcessError: the model ended its process (exit code 7)",
        "c4": "TimeoutError: no prediction within 1 s",
    }


def test_wrong_wiring_is_told_before_anything_is_changed(spark: SparkSession, shop: Any) -> None:
    with pytest.raises(TableError, match=r"output.scored: there is no table .*let it run first"):
        replayed(shop, spark)
    shop.set(model={"uri": "models:/small_model@nobody", "registry": shop.config.model.registry})
    with pytest.raises(ModelNotFoundError, match="there is no models:/small_model@nobody"):
        replayed(shop, spark)


def test_job_refuses_what_cannot_be_meant_and_tells_wrong_wiring(
    spark: SparkSession, shop: Any, run_job: Callable[..., Any]
) -> None:
    def job(*arguments: str) -> Any:
        return run_job("replay_rejected", "--config", str(shop.config_file), *arguments)

    upside_down = job("--since", "2026-03-02", "--until", "2026-03-01T00:00:00+00:00")
    assert (upside_down.status, "--until must be later than --since" in upside_down.err) == (2, True)
    nowhere = job("--reason", "wrong_type", "--set", "model.registry=sqlite:///nowhere.db", "--dry-run")
    assert (nowhere.status, nowhere.err.startswith("model.registry: no such file")) == (2, True)


def test_replay_of_a_table_that_takes_appends_alone_is_refused_before_anything_is_marked(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    shop.land("a.jsonl", make_click(1), make_click(2, price="x"))
    shop.run(spark)
    Table(str(shop.home / "rejected_clicks")).set_properties(spark, {"delta.appendOnly": "true"})
    before = versions(shop)
    for dry_run in (True, False):
        with pytest.raises(TableError, match=r"rejected_clicks has the property delta\.appendOnly"):
            replayed(shop, spark, dry_run)
    assert versions(shop) == before


def test_rejected_click_that_would_break_a_constraint_stays_rejected(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    mend = ask_for_quantity(shop)
    shop.land("a.jsonl", without_quantity(make_click(1)), without_quantity(make_click(2, price=-1.0)))
    shop.run(spark)
    mend()
    scored = f"delta.`{shop.home / 'scored_clicks'}`"
    spark.sql(f"ALTER TABLE {scored} ALTER COLUMN quantity DROP NOT NULL")
    spark.sql(f"ALTER TABLE {scored} ADD CONSTRAINT no_refund CHECK (price >= 0)")
    replayed(shop, spark)
    assert shop.scored["id"].tolist() == ["c1"]
    assert sorted(shop.rejected["reason"]) == ["constraint_violated", "missing_field"]


def test_rejected_click_that_cannot_be_written_for_another_reason_stays_rejected(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    mend = ask_for_quantity(shop)
    layout = read_definition(shop.config).layout
    columns = [f"`{field.name}` {field.dataType.simpleString()}" for field in layout.scored]
    columns.append("number INT GENERATED ALWAYS AS (element_at(array(10), CAST(substring(visitor, 2) AS INT)))")
    spark.sql(f"CREATE TABLE delta.`{shop.home / 'scored_clicks'}` ({', '.join(columns)}) USING delta")
    shop.land("a.jsonl", without_quantity(make_click(1)), without_quantity(make_click(2, visitor="v0")))
    shop.run(spark)
    mend()
    assert "1 click is scored" in replayed(shop, spark)
    clicks = spark.read.format("delta").load(str(shop.home / "scored_clicks"))
    assert [row.id for row in clicks.collect()] == ["c1"]
    assert sorted(shop.rejected["reason"]) == ["missing_field", "unwritable"]
    assert "No click has passed" in replayed(shop, spark)


def test_clicks_of_a_replay_whose_marks_were_restored_away_are_found(
    spark: SparkSession, shop: Any, make_click: MakeClick
) -> None:
    mend = ask_for_quantity(shop)
    shop.land("a.jsonl", make_click(1), without_quantity(make_click(2)))
    shop.run(spark)
    mend()
    spark.sql(f"ALTER TABLE delta.`{shop.home}/scored_clicks` ALTER COLUMN quantity DROP NOT NULL")
    version = versions(shop)[1]
    assert "1 click is scored" in replayed(shop, spark)
    spark.sql(f"RESTORE TABLE delta.`{shop.home}/rejected_clicks` TO VERSION AS OF {version}")
    assert "replay_id" not in shop.rejected.columns
    seen = StringIO()
    assert not audit.run(shop.config, lambda: spark, Console(file=seen, width=200), None, None)
    assert "replay 1 is not finished: 0 rejected rows are resolved and 1 scored" in seen.getvalue()
