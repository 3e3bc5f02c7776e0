"""Events of OpenLineage over HTTP to a server of this process."""

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.support.endpoint import Gateway, Reply, gateway

from clickscore.config.lineage import Lineage
from clickscore.monitoring import lineage
from clickscore.monitoring.lineage_event import LineageJob
from clickscore.monitoring.report import Report
from clickscore.sources.records import BatchInput

JOB = LineageJob("shop", "score", "s-1", "file:/lake/scored", "file:/lake/rejected")


def report(batch_id: int) -> Report:
    return Report(batch_id, 2, 1, 1, 1, 0.1, None, "m", "1")


def inputs_of(batch_id: int) -> Sequence[BatchInput]:
    return [BatchInput("file:/landing", {"files": [f"{batch_id}.jsonl"], "count": 1})]


@pytest.fixture
def server() -> Iterator[Gateway]:
    with gateway() as running:
        yield running


def test_events_of_each_micro_batch_arrive_in_order_with_the_token(
    server: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_TOKEN", "geheim")
    bodies, said = list[dict[str, Any]](), list[str]()

    def take(_: int, body: bytes) -> Reply:
        bodies.append(json.loads(body))
        return Reply()

    server.mood = take
    base = server.url.removesuffix("/invocations") + "/base"
    with lineage.sending(Lineage(url=base, token="env:LINEAGE_TOKEN"), JOB, inputs_of, said.append) as sender:
        for batch_id in range(3):
            sender.report(report(batch_id))
    kinds = [(event["eventType"], event["run"]["facets"]["clickscore_micro_batch"]["batch_id"])
             for event in bodies]  # fmt: skip
    assert kinds == [(kind, batch_id) for batch_id in range(3) for kind in ("START", "COMPLETE")]
    assert bodies[-1]["inputs"][0]["inputFacets"]["clickscore_range"]["range"]["files"] == ["2.jsonl"]
    assert server.seen["Authorization"] == "Bearer geheim"
    assert server.paths[-1] == "/base/api/v1/lineage"
    assert not said


def test_server_that_refuses_costs_one_line_and_the_end_counts_what_it_has_not_heard_of(server: Gateway) -> None:
    server.mood = lambda number, body: Reply(401, b"who are you?")
    said: list[str] = []
    with lineage.sending(Lineage(url=server.url), JOB, inputs_of, said.append) as sender:
        for batch_id in range(3):
            sender.report(report(batch_id))
    assert len(said) == 2
    assert "does not take events: 401" in said[0]
    assert "lineage.token" in said[0]
    assert said[1].endswith("has not been told of 3 micro-batches; the clicks are scored")


def test_slow_server_holds_no_micro_batch_up(server: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lineage, "MOST_WAITING", 2)
    monkeypatch.setattr(lineage, "LAST_WAIT_S", 0.1)
    server.mood = lambda number, body: Reply(pause_s=1.0)
    said: list[str] = []
    with lineage.sending(Lineage(url=server.url), JOB, inputs_of, said.append) as sender:
        began = time.monotonic()
        for batch_id in range(20):
            sender.report(report(batch_id))
        assert time.monotonic() - began < 0.5
    assert "it is too slow" in said[0]
    assert len(said) == 2


def test_plan_that_cannot_be_read_costs_the_event_and_not_the_stream(server: Gateway) -> None:
    def broken(batch_id: int) -> Sequence[BatchInput]:
        raise OSError("the checkpoint is away")

    said: list[str] = []
    with lineage.sending(Lineage(url=server.url), JOB, broken, said.append) as sender:
        sender.report(report(0))
    assert "the checkpoint is away" in said[0]
