"""Fields with any name that Delta can hold, in every role, in every job.

Each name below has all characters at once: whichever of them some expression cannot take, in whichever role, shows.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import Any

import pytest
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.reconciliation import audit
from clickscore.scoring.contract import ESCAPED_IN_KEYS, NOT_IN_NAMES
from clickscore.storage.schemas import quoted

RunJob = Callable[..., Any]

ODD = (
    "".join(c for c in map(chr, range(33, 127)) if not c.isalnum() and c not in NOT_IN_NAMES + ESCAPED_IN_KEYS)
    + "éж日🙂"
)
ID, AT, VISITOR, VISIT, PRICE, CITY = (name + ODD for name in ("id", "at", "visitor", "visit", "price", "city"))
BEGIN = datetime(2026, 3, 1, tzinfo=timezone.utc)


def odd_click(number: int) -> dict[str, Any]:
    time = (BEGIN + timedelta(minutes=number)).isoformat()
    return {ID: f"c{number}", AT: time, VISITOR: f"v{number % 20}", VISIT: f"s{number}", PRICE: number * 37 % 100 + 0.5,
            f"geo{ODD}": {CITY: "Bern"}}  # fmt: skip


@pytest.fixture
def odd_shop(shop: Any) -> Any:
    ddl, features = shop.home / "odd.ddl", shop.home / "odd.sql"
    ddl.write_text(
        f"{quoted(ID)} STRING NOT NULL COMMENT 'id', {quoted(AT)} TIMESTAMP NOT NULL, "
        f"{quoted(VISITOR)} STRING NOT NULL, "
        f"{quoted(VISIT)} STRING, {quoted(PRICE)} DOUBLE, {quoted(f'geo{ODD}')} STRUCT<{quoted(CITY)}: STRING>"
    )
    price, geo, city = (f'"{name.replace(chr(34), 2 * chr(34))}"' for name in (PRICE, f"geo{ODD}", CITY))
    features.write_text(f"SELECT {price} * 2 AS double_price, length(({geo}).{city}) AS quantity FROM click")
    shop.set(click={"schema": str(ddl), "id": ID, "time": AT, "visitor": VISITOR}, features=str(features))
    return shop


def test_field_may_have_any_name_that_delta_can_hold_in_every_job(
    spark: SparkSession, odd_shop: Any, run_job: RunJob
) -> None:
    registry = odd_shop.config.model.registry
    uri = "models:/odd_names"
    model = {"uri": f"{uri}@champion", "registry": registry, "challenger": f"{uri}@challenger", "challenger_share": 1.0}
    history = odd_shop.home / "history"
    history.mkdir()
    (history / "a.jsonl").write_text("".join(json.dumps(odd_click(number)) + "\n" for number in range(400)))
    outcome = {"success": f"{quoted(PRICE)} > 50", "unit": "session", "session": VISIT, "window": "1 hour"}
    odd_shop.set(outcome=outcome, training={"clicks": str(history)}, model=model, deduplicate={"window": "1 hour"})

    def job(name: str, *arguments: str, status: int = 0) -> str:
        done = run_job(name, "--config", str(odd_shop.config_file), *arguments)
        assert done.status == status, done.err
        assert "Traceback" not in done.err
        return str(done.out)

    job("train_model")
    job("train_model", "--alias", "challenger")
    late = {name: value for name, value in odd_click(1).items() if name != AT}
    odd_shop.land("a.jsonl", *[odd_click(number) for number in range(60)], late, odd_click(3))
    assert "the run can start" in job("score_stream", "--plan")
    said = job("score_stream")
    assert "60 scored, 1 rejected, 1 duplicate\n" in said
    assert "some scored clicks" in said
    assert set(odd_shop.table("scored_clicks")[ID]) == {f"c{number}" for number in range(60)}
    assert AT in odd_shop.rejected["detail"][0]
    assert "each in exactly one row" in job("audit")
    job("promote_model", status=1)  # the gate asks for more clicks than these
    ddl = odd_shop.home / "odd.ddl"
    ddl.write_text(ddl.read_text().replace("TIMESTAMP NOT NULL", "TIMESTAMP NOT NULL COMMENT 'changed'"))
    job("replay_rejected")
    assert "each in exactly one row" in job("audit")
    odd_shop.set(retention={"scored": "2 days"})
    assert "Removal 1: 60 rows are removed." in job("maintain_tables")
    assert "2 records, each in exactly one row, 1 of them duplicates, and 60 expired." in job("audit")


def test_rejected_click_with_odd_names_is_found_again_after_a_crash_and_by_a_replay(
    spark: SparkSession, odd_shop: Any, run_job: RunJob
) -> None:
    odd_shop.land("a.jsonl", *[odd_click(number) for number in range(5)], *["rubbish"] * 1_100)  # more than are listed
    odd_shop.run(spark)
    assert len(odd_shop.rejected) == 1_100
    assert audit.run(odd_shop.config, lambda: spark, Console(file=StringIO()), None, None)


def test_delta_source_with_odd_names_is_scored_and_proven(spark: SparkSession, odd_shop: Any) -> None:
    table = odd_shop.home / "odd names 50%"
    lines = odd_shop.home / "lines.json"
    lines.write_text("".join(json.dumps(odd_click(number)) + "\n" for number in range(5)))
    nullable = odd_shop.config.click.ddl.read_text().replace(" NOT NULL", "")
    clicks = spark.read.schema(nullable).json(str(lines))
    clicks.write.format("delta").save(str(table))
    odd_shop.set(source={"kind": "delta", "table": str(table)})
    odd_shop.run(spark)
    assert sorted(odd_shop.table("scored_clicks")[ID]) == [f"c{number}" for number in range(5)]
    assert audit.run(odd_shop.config, lambda: spark, Console(file=StringIO()), None, None)


def test_column_of_a_delta_source_may_have_any_name(spark: SparkSession, shop: Any, make_click: Any) -> None:
    rows = spark.createDataFrame([(json.dumps(make_click(number)),) for number in range(3)], f"{quoted(ODD)} STRING")
    rows.write.format("delta").save(str(shop.home / "bronze"))
    shop.set(source={"kind": "delta", "table": str(shop.home / "bronze"), "column": ODD})
    shop.run(spark)
    assert shop.scored["id"].tolist() == ["c0", "c1", "c2"]
    assert audit.run(shop.config, lambda: spark, Console(file=StringIO()), None, None)
