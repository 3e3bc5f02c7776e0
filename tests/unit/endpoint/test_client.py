"""The client against real servers: all forms, poison, a server that is slow, killed, away or not of this protocol."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.support.endpoint import VERSION_HEADER, Gateway, MlflowServer, Reply, gateway
from tests.support.poison import RAISES
from tests.support.ports import LOOPBACK, free_ports
from tests.support.service import served
from tests.support.shop import Shop, click

from clickscore.config.endpoint import Payload
from clickscore.config.model import Model
from clickscore.endpoint.client import Client, Connection
from clickscore.endpoint.payloads import MisconfiguredError, RefusedError
from clickscore.errors import ModelError, ModelUnavailableError
from clickscore.registry.registry import fetch_current
from clickscore.scoring import ClickScorer, Contract, Features, LoadedModel
from clickscore.scoring.isolation import Isolation, Tolerance
from clickscore.scoring.models import answer, load
from clickscore.scoring.outputs import Floats, OutputError, pick

SECRET = "s3cret-of-the-endpoint"
CONFIG = Model.model_validate({
    "uri": "models:/moody_behind_an_endpoint@champion", "registry": "replaced", "trust": "pickle",
})  # fmt: skip
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
CLICK = pa.struct([
    ("id", pa.string()), ("at", pa.timestamp("us", "UTC")), ("visitor", pa.string()), ("price", pa.float64()),
    ("quantity", pa.int32()),
])  # fmt: skip


def inputs(prices: list[float], quantity: float = 1.0) -> pa.StructArray:
    columns = [pa.array(prices, pa.float64()), pa.array([quantity] * len(prices), pa.float64())]
    return pa.StructArray.from_arrays(columns, ["double_price", "quantity"])


def connect(url: str, **changes: Any) -> Connection:
    usual = Connection(url, "dataframe_split", None, rows=10, concurrency=2, attempt_s=2.0, deadline_s=4.0)
    return replace(usual, **changes)


def predictions(*values: object) -> bytes:
    return json.dumps({"predictions": values}).encode()


def echo(_: int, body: bytes) -> Reply:
    """Answer the first input of each click."""
    return Reply(body=predictions(*[row[0] for row in json.loads(body)["dataframe_split"]["data"]]))


@pytest.mark.parametrize("payload", ["dataframe_split", "dataframe_records", "inputs"])
def test_server_of_mlflow_understands_each_form(server: MlflowServer, payload: Payload) -> None:
    prices = [0.1, 20.0, 1e-17, -1e300]
    found = Client(connect(server.url, payload=payload)).predict(inputs(prices))
    assert found.values[:, 0].tolist() == [price / 1000 for price in prices]


def test_clicks_are_asked_in_requests_of_so_many_and_come_back_in_order(broken: Gateway) -> None:
    broken.mood = lambda number, body: replace(echo(number, body), pause_s=0.05 if number % 2 else 0.15)
    found = Client(connect(broken.url, concurrency=3)).predict(inputs([float(n) for n in range(95)]))
    assert found.values[:, 0].tolist() == [float(n) for n in range(95)]
    assert (broken.requests, broken.most) == (10, 3)


def isolated(client: Client, rows: pa.StructArray, picks: tuple[None] = (None,)) -> tuple[Floats, dict[int, str]]:
    def predict(low: int, high: int) -> Floats:
        return pick(client.predict(rows.slice(low, high - low)), picks)

    return Isolation(Tolerance(float("inf"), count=5)).score(predict, len(rows), 1)


def test_click_that_the_model_fails_on_is_found_and_the_others_are_scored(server: MlflowServer) -> None:
    rows = pa.concat_arrays([inputs([1.0] * 30), inputs([2.0], RAISES), inputs([3.0] * 30)])
    values, failures = isolated(Client(connect(server.url)), rows)
    assert list(failures) == [30]
    assert failures[30].startswith("RefusedError: HTTP 400: ")
    assert np.delete(values[:, 0], 30).tolist() == [0.001] * 30 + [0.003] * 30


def test_server_that_is_killed_under_load_and_comes_back_costs_no_click(server: MlflowServer) -> None:
    client, rows = Client(connect(server.url, deadline_s=60.0)), inputs([float(n) for n in range(500)])
    found: list[Floats] = []
    asking = threading.Thread(target=lambda: found.extend(isolated(client, rows)[0] for _ in range(20)))
    asking.start()
    time.sleep(0.3)
    server.kill()
    time.sleep(1.0)
    server.start()
    asking.join()
    assert len(found) == 20
    assert all(values[:, 0].tolist() == [n / 1000 for n in range(500)] for values in found)


def test_server_that_is_away_makes_the_model_unavailable_within_the_deadline() -> None:
    port, began = free_ports(1), time.monotonic()
    client = Client(connect(f"http://{LOOPBACK}:{port}/invocations", deadline_s=1.5))
    with pytest.raises(ModelUnavailableError, match=rf":{port}/invocations is away: .*refused; \d+ attempts in 1.5 s"):
        isolated(client, inputs([1.0] * 100))
    assert time.monotonic() - began < 2.5


def test_slow_server_is_asked_again_and_counts_as_away_and_not_as_a_click_that_fails(
    server: MlflowServer, gate: Path
) -> None:
    gate.touch()
    try:
        with pytest.raises(ModelUnavailableError, match=r"is away: .*timed out"):
            isolated(Client(connect(server.url, attempt_s=0.5, deadline_s=1.5)), inputs([1.0]))
    finally:
        gate.unlink()
    assert isolated(Client(connect(server.url, attempt_s=30.0)), inputs([1.0]))[1] == {}


def test_answer_that_comes_byte_by_byte_does_not_outlast_its_attempt(broken: Gateway) -> None:
    broken.mood = lambda number, body: Reply(body=predictions(0.5), dribble_s=0.2)
    began = time.monotonic()
    with pytest.raises(ModelUnavailableError, match="does not end in time; 1 attempts"):
        Client(connect(broken.url, attempt_s=1.0, deadline_s=1.0)).predict(inputs([1.0]))
    assert time.monotonic() - began < 0.2 * len(predictions(0.5))


def test_last_attempt_that_the_deadline_cuts_short_does_not_hide_what_the_endpoint_has_answered(
    broken: Gateway,
) -> None:
    broken.mood = lambda number, body: Reply(503, b"closed") if number < 2 else Reply(pause_s=2.0)
    with pytest.raises(ModelUnavailableError, match=r"is away: it answers HTTP 503: closed, then .*in 1.5 s"):
        Client(connect(broken.url, deadline_s=1.5)).predict(inputs([1.0]))


def test_failure_that_passes_is_tried_again_after_the_wait_that_the_server_asks_for(broken: Gateway) -> None:
    overloaded = Reply(503, b"overloaded", {"Retry-After": "1"})
    broken.mood = lambda number, body: overloaded if number == 0 else echo(number, body)
    began = time.monotonic()
    assert Client(connect(broken.url)).predict(inputs([0.5])).values.tolist() == [[0.5]]
    assert time.monotonic() - began >= 1.0
    assert broken.requests == 2


def test_open_circuit_asks_once_in_a_while_instead_of_for_every_request(broken: Gateway) -> None:
    broken.mood = lambda number, body: Reply(500, b"out of memory")
    client = Client(connect(broken.url, rows=1, concurrency=8, deadline_s=2.0))
    with pytest.raises(ModelUnavailableError, match="HTTP 500: out of memory"):
        client.predict(inputs([1.0] * 50))
    assert broken.requests <= 20


@pytest.mark.parametrize(("body", "found"), [
    (predictions(0.5), "one row of numbers, for each of 2 clicks"),
    (predictions(0.5, 0.5, 0.5), "one row of numbers, for each of 2 clicks"),
    (predictions("yes", "no"), "the model predicts text, such as 'yes', not a number"),
    (b'{"predictions": [NaN, 0.5]}', "a score that is not a finite number"),
    (predictions({"a": 1, "b": 2}, {"a": 1, "b": 2}), "say in model.outputs which of them is the score"),
])  # fmt: skip
def test_wrong_answer_to_the_example_refuses_the_model(broken: Gateway, body: bytes, found: str) -> None:
    broken.mood = lambda number, asked: Reply(body=body)
    with pytest.raises(ModelError, match=found) as caught:
        answer(Client(connect(broken.url)).predict, inputs([1.0, 2.0]), (None,))
    assert not isinstance(caught.value, ModelUnavailableError)


def test_endpoint_that_is_away_does_not_refuse_the_model(broken: Gateway) -> None:
    broken.mood = lambda number, asked: Reply(503, b"starting")
    with pytest.raises(ModelUnavailableError, match="HTTP 503: starting"):
        answer(Client(connect(broken.url, deadline_s=0.5)).predict, inputs([1.0]), (None,))


def test_requests_with_different_outputs_are_not_taken_for_one(broken: Gateway) -> None:
    broken.mood = lambda number, body: echo(number, body) if number else Reply(body=predictions(*[{"a": 1.0}] * 10))
    with pytest.raises(OutputError, match="different outputs for different clicks"):
        Client(connect(broken.url, concurrency=1)).predict(inputs([1.0] * 20))


def test_token_is_sent_and_shown_nowhere(broken: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text(f"machine {LOOPBACK} login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    broken.mood = echo
    connection = connect(broken.url, token=SECRET)
    Client(connection).predict(inputs([1.0]))
    assert broken.seen["Authorization"] == f"Bearer {SECRET}"
    assert SECRET not in repr(connection)


@pytest.mark.parametrize("status", [200, 400, 401, 503])
def test_server_that_repeats_the_token_is_not_quoted_with_it(broken: Gateway, status: int) -> None:
    broken.mood = lambda number, body: Reply(status, f"not {SECRET}".encode())
    with pytest.raises((RefusedError, ModelUnavailableError), match=r"not \*\*\*"):
        Client(connect(broken.url, token=SECRET, deadline_s=0.3)).predict(inputs([1.0]))


def test_version_comes_from_the_header_and_another_one_does_not_score(broken: Gateway) -> None:
    broken.mood = echo
    connection = connect(broken.url, version_header=VERSION_HEADER)
    assert Client(connection).ask(inputs([1.0])).version == "7"
    pinned = Client(connection, "7")
    assert len(pinned.predict(inputs([1.0])).values) == 1
    broken.version = "8"
    with pytest.raises(
        ModelUnavailableError, match="expected version 7, which scores the whole micro-batch, found an answer of 8"
    ):
        pinned.predict(inputs([1.0]))
    broken.mood = lambda number, body: Reply(400, b"not this click")
    with pytest.raises(ModelUnavailableError, match="found an answer of 8"):  # its refusals are not those of version 7
        pinned.predict(inputs([1.0]))
    broken.mood, broken.version = echo, None
    with pytest.raises(ModelUnavailableError, match=f"no header {VERSION_HEADER}"):
        pinned.predict(inputs([1.0]))


@pytest.mark.parametrize("status", [301, 401, 404])
def test_answer_that_stays_wrong_is_not_asked_for_again(broken: Gateway, status: int) -> None:
    broken.mood = lambda number, body: Reply(status, b"", {"Location": "/elsewhere"})
    with pytest.raises(MisconfiguredError, match=f"found HTTP {status}"):
        Client(connect(broken.url)).ask(inputs([1.0]))
    assert broken.requests == 1
    with pytest.raises(ModelUnavailableError) as caught:
        Client(connect(broken.url)).predict(inputs([1.0]))
    assert type(caught.value) is ModelUnavailableError  # all that the driver sees of a worker's error is its name


def test_fork_of_a_process_has_connections_of_its_own(broken: Gateway) -> None:
    broken.mood = echo
    client = Client(connect(broken.url))
    assert client.predict(inputs([1.0])).values.tolist() == [[1.0]]
    child = os.fork()
    if not child:
        os._exit(0 if client.predict(inputs([2.0])).values.tolist() == [[2.0]] else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert client.predict(inputs([3.0])).values.tolist() == [[3.0]]


@pytest.fixture
def front(server: MlflowServer) -> Iterator[Gateway]:
    with gateway(server.url) as running:
        yield running


def test_gateway_without_its_upstream_is_away(front: Gateway) -> None:
    behind, front.behind = front.behind, f"http://{LOOPBACK}:{free_ports(1)}/"
    client = Client(connect(front.url, deadline_s=20.0))
    back = threading.Timer(1.0, partial(setattr, front, "behind", behind))
    back.start()
    assert client.predict(inputs([500.0])).values.tolist() == [[0.5]]
    assert front.requests > 1


def test_service_of_clickscore_scores_raw_clicks_and_rejects_for_the_reason_it_has(
    make_shop: Callable[[Path], Shop], tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(SECRET)
    with served(make_shop(tmp_path / "shop"), token=f"file:{tmp_path}/token") as service:
        records = [click(number, price=None if number == 3 else 10.0 * number) for number in range(25)]
        own = [item["score"] for item in service.ask(records, Authorization=f"Bearer {SECRET}").json()["outcomes"]]
        rows = pa.array([{**record, "at": NOON} for record in records], CLICK)
        connection = connect(f"{service.url}/score", payload="clicks", token=SECRET)
        assert Client(connection).predict(rows).values[:, 0].tolist() == own
        assert Client(connection).ask(rows).version == "1"
        late = pa.array([{**records[7], "at": NOON, "visitor": None}], CLICK)
        values, failures = isolated(Client(connection), pa.concat_arrays([rows[:7], late, rows[8:]]))
        assert failures == {7: "RefusedError: missing_field: visitor is null"}
        assert np.delete(values[:, 0], 7).tolist() == [*own[:7], *own[8:]]
        with pytest.raises(MisconfiguredError, match="HTTP 401: expected Authorization: Bearer with the token"):
            Client(replace(connection, token="other")).ask(rows)


def test_scorer_gives_the_same_verdicts_and_scores_as_with_the_model_in_memory(
    server: MlflowServer, registry_uri: str, contract: Contract, features: Features, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    prices = [None, 0.1, 1e-300, -0.0, 5e-324, 1e308, *rng.lognormal(3, 2, 500).tolist()]
    records = [
        click(number, price=price, quantity=number % (RAISES + 1) or None) for number, price in enumerate(prices)
    ]
    records += [click(0, visitor="Zoë"), click(1, visitor=None), click(2, price="x")]
    raw = pa.array([*(json.dumps(record).encode() for record in records), b"{", b"null", b"\xff"], pa.binary())
    config = CONFIG.model_copy(update={"registry": registry_uri})
    model = fetch_current(config, tmp_path)
    in_memory = LoadedModel(model.inputs, load(model.kind, model.folder), {"score": None})
    remote = replace(
        in_memory, predict=Client(connect(server.url, rows=100)).predict, tolerance=Tolerance(np.inf, np.inf)
    )
    here, there = (ClickScorer(contract, features, each).score(raw) for each in (in_memory, remote))
    assert there.field("score").equals(here.field("score"))
    assert there.field("reason").equals(here.field("reason"))
    assert set(here.field("reason").to_pylist()) >= {None, "scoring_failed", "malformed_json", "wrong_type"}
