"""The stream scores through an endpoint that is killed, comes back, and changes its version."""

import json
import re
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from rich.console import Console
from tests.support.endpoint import VERSION_HEADER, Gateway, Reply, gateway, mlflow_served
from tests.support.poison import RAISES, register_poison
from tests.support.waiting import wait_until

from clickscore.errors import ModelError, ReplayError, StreamError
from clickscore.reconciliation import replay
from clickscore.reconciliation.rescoring import Selection
from clickscore.stream import app, query

BATCHES, CLICKS, POISON = 8, 60, 130
CHANGES_AT = 6 * CLICKS + 30
"""The click at which the version changes, in the second of three requests of its micro-batch."""
PATIENCE_S = 120


def use(shop: Any, endpoint: Gateway, **section: Any) -> None:
    """Let the shop score through an endpoint; a file is a micro-batch."""
    usual = {"name": "remote", "version_header": VERSION_HEADER, "inputs": "double_price DOUBLE, quantity DOUBLE",
             "rows": 20, "deadline": "2 seconds", **section}  # fmt: skip
    shop.set(
        model={"uri": f"endpoint:{endpoint.url}", "time_limit": "1 second", "endpoint": usual},
        source={"kind": "folder", "path": str(shop.landing), "max_bytes": 1},
    )


def scored_batches(shop: Any) -> int:
    place = str(shop.home / "scored_clicks")
    if not DeltaTable.is_deltatable(place):
        return 0
    return len(set(DeltaTable(place).to_pandas(columns=["batch_id"])["batch_id"]))


def test_stream_gets_over_an_endpoint_that_is_killed_and_one_that_changes_its_version(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]], registry_uri: str, tmp_path: Path
) -> None:
    version = register_poison(registry_uri, "remote")
    for batch in range(BATCHES):
        numbers = range(batch * CLICKS, (batch + 1) * CLICKS)
        clicks = [make_click(n, price=float(n), quantity=RAISES if n == POISON else 1) for n in numbers]
        shop.land(f"{batch:03}.jsonl", *clicks)
    home = tmp_path / "served"
    home.mkdir()
    with mlflow_served(registry_uri, f"models:/remote/{version}", home) as server, gateway(server.url) as front:
        # A click about which nothing is known has a price of nought then, and a score.
        use(shop, front, inputs="double_price DOUBLE NOT NULL, quantity DOUBLE NOT NULL")

        def change_in_the_middle(_: int, body: bytes) -> None:
            if any(price == 2.0 * CHANGES_AT for price, _ in asked(body)):
                front.version = "8"

        def restart() -> None:
            wait_until(lambda: scored_batches(shop) >= 2, "the second micro-batch", PATIENCE_S, poll_s=0.2)
            server.kill()
            server.start()

        front.mood = change_in_the_middle
        meddling = threading.Thread(target=restart, daemon=True)
        meddling.start()
        seen = shop.run(spark)
        meddling.join()
        front.mood = lambda number, body: None if asked(body)[0][0] == 0 else Reply(503, b"closed")
        with pytest.raises(ReplayError, match=r"is away: .*HTTP 503: closed.*Nothing was changed"):
            replay.run(shop.config, lambda: spark, Console(file=StringIO()), Selection(), dry_run=False)
    scored, rejected = shop.scored, shop.rejected
    assert sorted(scored["id"]) == sorted(f"c{n}" for n in range(BATCHES * CLICKS) if n != POISON)
    assert (scored["score"] == scored["price"] * 2 / 1000).all()
    [(reason, detail)] = zip(rejected["reason"], rejected["detail"], strict=True)
    assert (reason, json.loads(rejected["raw"][0])["id"]) == ("scoring_failed", f"c{POISON}")
    assert detail.startswith("RefusedError: HTTP 400: ")
    assert scored.groupby("batch_id")["model_version"].nunique().eq(1).all()
    assert sorted(set(scored["model_version"])) == ["7", "8"]
    timeline = shop.table("model_timeline").sort_values("pinned_at")
    events = list(zip(timeline["model_name"], timeline["model_version"], timeline["event"], strict=True))
    assert events[0] == ("remote", "7", "scores")
    assert events[-1] == ("remote", "8", "scores")
    assert re.search("is away: .*it answers HTTP 502: no upstream", " ".join(seen.split())), seen
    assert "answers with remote version 8 now, before with version 7" in seen


def test_endpoint_that_stays_away_ends_the_run_and_rejects_nothing(
    spark: SparkSession, shop: Any, make_click: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land("a.jsonl", make_click(1), make_click(2))
    monkeypatch.setattr(query, "STREAM_LIMIT_S", 4.0)
    with gateway() as endpoint:
        # The example, which knows nothing about its click, is answered; clicks are not.
        endpoint.mood = lambda number, body: ones(body) if asked(body)[0][0] is None else Reply(503, b"closed")
        use(shop, endpoint)
        with pytest.raises(StreamError, match=r"is away: .*HTTP 503: closed.*still failing after 4 s"):
            shop.run(spark)
    assert not DeltaTable(str(shop.home / "scored_clicks")).to_pandas().shape[0]
    assert not shop.rejected.shape[0]


def asked(body: bytes) -> list[list[float | None]]:
    rows: list[list[float | None]] = json.loads(body)["dataframe_split"]["data"]
    return rows


def ones(body: bytes) -> Reply:
    return Reply(body=json.dumps({"predictions": [1.0] * len(asked(body))}).encode())


def test_plan_tries_the_endpoint_and_says_what_is_wrong_with_it(spark: SparkSession, shop: Any) -> None:
    def plan() -> tuple[bool, str]:
        seen = StringIO()
        return app.plan(shop.config, lambda: spark, Console(file=seen, width=200)), seen.getvalue()

    with gateway() as endpoint:
        use(shop, endpoint)
        endpoint.mood = lambda number, body: ones(body)
        can_start, seen = plan()
        assert can_start
        assert f"model       remote version 7, behind endpoint:{endpoint.url}" in seen
        assert "asked with dataframe_split, up to 20 clicks a request" in seen
        endpoint.mood = lambda number, body: Reply(401, b"who are you?")
        can_start, seen = plan()
        assert not can_start
        assert "expected HTTP 200, found HTTP 401: who are you?" in seen
        endpoint.mood = lambda number, body: Reply(body=b'{"predictions": ["yes"]}')
        can_start, seen = plan()
        assert not can_start
        assert "the model predicts text, such as 'yes', not a number" in seen
        with pytest.raises(ModelError, match="predicts text"):
            shop.run(spark)
