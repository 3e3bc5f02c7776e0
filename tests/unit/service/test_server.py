"""The whole service: a process started by its job, under load, under attack, stopped by signals."""

import errno
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pytest
from tests.support.jobs import Done
from tests.support.models import register_booster
from tests.support.poison import ENDS, GATE, HANGS, RAISES, SLOW
from tests.support.ports import free_ports
from tests.support.service import PATIENT, Served, served
from tests.support.shop import Shop
from tests.support.waiting import wait_until

from clickscore.config.run import load
from clickscore.registry.registry import Registry, fetch_current
from clickscore.scoring.contract import read_contract
from clickscore.scoring.features import read_features
from clickscore.scoring.models import LoadedModel
from clickscore.scoring.models import load as load_model
from clickscore.scoring.scorer import ClickScorer
from clickscore.service.server import DRAIN_S

MakeClick = Callable[..., dict[str, Any]]
CORPUS = Path("tests/data/bad_clicks")
CLIENTS = 8


class Load:
    """Clients that ask one click after the other, each on one connection, until they are told that it ends."""

    def __init__(self, running: Served, click: dict[str, Any]) -> None:
        self.answers: list[tuple[int, str | None, float]] = []
        self.failures: list[str] = []
        self._url, self._click, self._over = running.url, click, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=20) as client:
            while not self._over.is_set():
                began = time.monotonic()
                try:
                    answer = client.post("/score", json=self._click)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))
                    return
                version = answer.json().get("model_version")
                self.answers.append((answer.status_code, version, time.monotonic() - began))
                if answer.headers.get("connection") == "close":
                    return

    @contextmanager
    def running(self) -> Iterator["Load"]:
        for thread in self._threads:
            thread.start()
        try:
            wait_until(lambda: len(self.answers) > 5 * CLIENTS, "the load")
            yield self
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(30)
        assert self.failures == []
        assert {status for status, _, _ in self.answers} == {200}


def test_answers_are_those_of_the_scorer_bit_by_bit(
    service: Served, shop: Shop, make_click: MakeClick, tmp_path: Path
) -> None:
    odd: list[dict[str, Any]] = [
        {}, {"price": None}, {"price": 1e308}, {"price": -0.0}, {"price": 0.1}, {"quantity": "many"}, {"id": None},
        {"visitor": "Bücher 書籍 📚"}, {"at": "yesterday"}, {"price": 5e-324},
    ]  # fmt: skip
    records = [json.dumps(make_click(number, **odd[number % len(odd)])).encode() for number in range(2_000)]
    for file in sorted(CORPUS.glob("b[1-6]_*.json*")):
        if file.suffix != ".gz" and "utf16" not in file.name:
            records += [line for line in file.read_bytes().split(b"\n") if line.strip(b" \t\r\n")]
    expected = scorer_of(shop, tmp_path).score(pa.array(records, pa.binary())).to_pylist()
    assert len({outcome["reason"] for outcome in expected}) > 5

    found = service.ask(b"\n".join(records), content_type="application/x-ndjson").json()["outcomes"]
    assert [bits(one) for one in found] == [bits(one) for one in expected]
    for number in range(0, len(records), 100):
        if not records[number].lstrip().startswith(b"["):
            assert bits(service.ask(records[number]).json()) == bits(expected[number])


def scorer_of(shop: Shop, folder: Path) -> ClickScorer:
    config = load(shop.config_file)
    contract = read_contract(config.click.ddl, config.click.id, config.click.time, config.click.visitor)
    version = fetch_current(config.model, folder)
    model = LoadedModel(version.inputs, load_model(version.kind, version.folder), config.model.picks)
    return ClickScorer(contract, read_features(config.features, contract.click), model)


def bits(outcome: dict[str, Any]) -> tuple[Any, ...]:
    score = outcome["score"]
    return score.hex() if score is not None else None, outcome["reason"], outcome["detail"]


@contextmanager
def closed(gate: Path) -> Iterator[None]:
    """Let the model wait with its answers while the block runs."""
    gate.touch()
    try:
        yield
    finally:
        gate.unlink()


def test_concurrent_requests_share_calls(gated: Served, gate: Path, make_click: MakeClick) -> None:
    with ThreadPoolExecutor(60) as pool:
        before = gated.metric("clickscore_scorer_calls")
        with closed(gate):
            asked = [pool.submit(gated.ask, make_click(number)) for number in range(50)]
            wait_until(lambda: gated.metric("clickscore_records_waiting") == 50, poll_s=0.1)
        assert {answer.result().json()["verdict"] for answer in asked} == {"scored"}
        assert gated.metric("clickscore_scorer_calls") - before <= 2


@pytest.mark.parametrize(("quantity", "detail"), [
    (RAISES, "ValueError: what is this?"), (HANGS, "TimeoutError: no prediction within"),
], ids=["raises", "hangs"])  # fmt: skip
def test_poison_click_fails_alone(moody: Served, make_click: MakeClick, quantity: int, detail: str) -> None:
    with ThreadPoolExecutor(10) as pool:
        slow = pool.submit(moody.ask, make_click(1, quantity=SLOW))  # the others share the call after it
        time.sleep(0.2)
        clicks = [make_click(number, quantity=quantity if number == 3 else 1) for number in range(6)]
        answers = [answer.json() for answer in pool.map(moody.ask, clicks)]
        assert slow.result().json()["verdict"] == "scored"
        assert [answer.get("reason", answer) for answer in answers] == [None] * 3 + ["scoring_failed"] + [None] * 2
        assert detail in answers[3]["detail"]
        assert moody.ask(make_click(1)).json()["verdict"] == "scored"


def test_too_many_waiting_records_are_refused(gated: Served, gate: Path, make_click: MakeClick) -> None:
    with ThreadPoolExecutor(2) as pool:
        with closed(gate):
            slow = pool.submit(gated.ask, [make_click(1)] * 5)
            wait_until(lambda: gated.metric("clickscore_records_waiting") == 5, poll_s=0.1)
            refused = gated.ask([make_click(1)] * 46)  # 50 may wait
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json() == {"detail": "too many records wait"}
        assert slow.result().status_code == 200


def test_swap_and_stop_under_load_fail_no_request(shop: Shop, registry_uri: str, make_click: MakeClick) -> None:
    first = register_booster(registry_uri, 1, "swapped")
    second = register_booster(registry_uri, 2, "swapped")
    shop.set(model={"uri": "models:/swapped@champion", "registry": registry_uri, "poll": "200 milliseconds"})
    with served(shop) as running:
        with Load(running, make_click(1)).running() as load:
            Registry(registry_uri).set_alias("swapped", "champion", second)
            wait_until(lambda: load.answers[-1][1] == second, "the second version")
        versions = [version for _, version, _ in load.answers]
        assert set(versions) == {first, second}
        assert max(seconds for _, _, seconds in load.answers) < 2

        with Load(running, make_click(1)).running() as load:
            assert running.stop(signal.SIGTERM) == 0
        assert len(load.answers) > CLIENTS
        assert running.said[-1] == "stopped; every request that was accepted has its answer"
        assert "Traceback" not in "\n".join(running.said)


def test_service_is_not_ready_until_its_model_has_answered_and_an_interrupt_waits_for_a_slow_answer(
    poison_shop: Shop, make_click: MakeClick, tmp_path: Path
) -> None:
    gate, port = tmp_path / "gate", free_ports(1)
    url = f"http://127.0.0.1:{port}"
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        # A client for each question would read the certificates of all authorities each time.
        client = stack.enter_context(httpx.Client(base_url=url))
        with closed(gate):
            start = pool.submit(
                lambda: stack.enter_context(served(poison_shop, {GATE: str(gate)}, port=port, time_limit=PATIENT))
            )
            wait_until(lambda: is_answering(client), "the server")
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").status_code == 503
            refused = client.post("/score", json=make_click(1))
            assert (refused.status_code, refused.json()) == (503, {"detail": "the service is not ready"})
        running = start.result()
        assert running.version

        with closed(gate):
            slow = pool.submit(running.ask, [make_click(1)])
            wait_until(lambda: running.metric("clickscore_records_waiting") == 1, poll_s=0.1)
            running.process.send_signal(signal.SIGINT)
            time.sleep(DRAIN_S + 0.5)  # it listens no more
        assert running.stop(signal.SIGINT) == 0
        assert slow.result().json()["outcomes"][0]["verdict"] == "scored"


def is_answering(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.ConnectError:
        return False


def test_strange_connections_leave_it_answering(service: Served, make_click: MakeClick) -> None:
    head = b"POST /score HTTP/1.1\r\nHost: x\r\n"
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"POST /score HTTP/9.9\r\n\r\n", head + b"A" * 200_000,
        head + b"Content-Length: -1\r\n\r\n", head + b"Content-Length: 10\r\n\r\n{",
        head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", head + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ):  # fmt: skip
        with connection(service) as broken:
            send(broken, garbage)
        with connection(service) as half_closed:
            send(half_closed, garbage)
            half_close(half_closed)
            half_closed.settimeout(10)
            drain(half_closed)
        assert service.ask(make_click(1)).json()["verdict"] == "scored"
    huge = service.client.post("/score", content=iter([b" " * 2**20] * 20))
    assert huge.status_code == 413
    assert "Traceback" not in "\n".join(service.said)


def test_500_connections_that_say_nothing_or_half_leave_it_answering(service: Served, make_click: MakeClick) -> None:
    with ExitStack() as stack:
        for number in range(500):
            slow = stack.enter_context(connection(service))
            if number % 2:
                send(slow, b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"[: 10 + number % 60])
        began = time.monotonic()
        assert service.ask(make_click(1)).json()["verdict"] == "scored"
        assert time.monotonic() - began < 2


def test_500_clients_at_once_are_answered(service: Served, make_click: MakeClick) -> None:
    body = json.dumps(make_click(1)).encode()
    request = b"POST /score HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with ExitStack() as stack:
        clients = [stack.enter_context(connection(service)) for _ in range(500)]
        for client in clients:
            client.sendall(request)
        found = Counter(drain(client).split(b"\r\n", 1)[0] for client in clients)
    assert found == {b"HTTP/1.1 200 OK": 500}


def connection(running: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", running.port), timeout=30)


def send(client: socket.socket, content: bytes) -> None:
    try:
        client.sendall(content)
    except ConnectionError:
        return  # it has seen enough before the end


def half_close(client: socket.socket) -> None:
    try:
        client.shutdown(socket.SHUT_WR)
    except OSError as error:
        assert error.errno == errno.ENOTCONN, error  # it has been refused and closed before


def drain(client: socket.socket) -> bytes:
    found = b""
    try:
        while part := client.recv(65_536):
            found += part
    except ConnectionError:
        return found
    return found


def test_click_that_ends_the_process_is_told_by_the_exit_status(poison_shop: Shop, make_click: MakeClick) -> None:
    with served(poison_shop) as running:
        with pytest.raises(httpx.HTTPError):
            running.ask(make_click(1, quantity=ENDS))
        assert running.process.wait(10) == 3


def test_service_runs_where_neither_spark_nor_java_is(shop: Shop, tmp_path: Path) -> None:
    program = (
        "import json, sys\n"
        "class Missing:\n"  # MLflow imports PySpark where it is installed
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name in ('pyspark', 'py4j', 'delta'):\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "from importlib.util import module_from_spec, spec_from_file_location\n"
        "spec = spec_from_file_location('serve', 'jobs/serve.py')\n"
        "serve = module_from_spec(spec)\n"
        "spec.loader.exec_module(serve)\n"
        "if __name__ == '__main__':\n"
        "    status = serve.main(sys.argv[2:])\n"
        "    open(sys.argv[1], 'w').write(json.dumps(sorted(sys.modules)))\n"
        "    sys.exit(status)\n"
    )
    (tmp_path / "program.py").write_text(program)
    shop.set(service={"port": 0})
    running = Served(sys.executable, str(tmp_path / "program.py"), str(tmp_path / "modules"),
                     "--config", str(shop.config_file), env={"JAVA_HOME": "/nowhere", "PATH": "/nowhere"})  # fmt: skip
    assert running.ask({}).status_code == 200
    assert running.stop() == 0
    loaded = {name.partition(".")[0] for name in json.loads((tmp_path / "modules").read_text())}
    assert {"clickscore", "duckdb", "lightgbm", "fastapi"} <= loaded
    assert not loaded & {"pyspark", "py4j", "delta"}


def test_port_in_use_is_told_in_a_line(shop: Shop, run_job: Callable[..., Done]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_job("serve", "--config", str(shop.config_file), "--set", f"service.port={port}")
    assert done.status == 2
    expected = f"cannot listen on 127.0.0.1, port {port}: Address already in use; choose another port"
    assert done.err == f"service cannot be used:\n  - {expected}\n"


@pytest.mark.parametrize(("token", "message"), [
    ("env:NO_SUCH_TOKEN", "the environment variable NO_SUCH_TOKEN is not set; export it before the start"),
    ("file:/no/such/file", "the file /no/such/file is not readable: FileNotFoundError"),
    ("env:EMPTY_TOKEN", "env:EMPTY_TOKEN is empty; anybody could ask with an empty token"),
])  # fmt: skip
def test_wrong_secret_stops_the_start(
    shop: Shop, run_job: Callable[..., Done], monkeypatch: pytest.MonkeyPatch, token: str, message: str
) -> None:
    monkeypatch.setenv("EMPTY_TOKEN", " ")
    settings = ("--set", "service.port=0", "--set", f"service.token={token}")
    done = run_job("serve", "--config", str(shop.config_file), *settings)
    assert (done.status, done.err) == (2, f"service.token cannot be used:\n  - {message}\n")


def test_missing_model_stops_the_start_and_nothing_listens(shop: Shop, registry_uri: str) -> None:
    shop.set(model={"uri": "models:/nobody@champion", "registry": registry_uri})
    command = [sys.executable, "jobs/serve.py", "--config", str(shop.config_file), "--set", "service.port=0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 2
    assert "has no model nobody" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_package_is_told_with_its_extra(shop: Shop) -> None:
    program = (
        "import sys, runpy\n"
        "sys.modules['fastapi'] = None\n"
        f"sys.argv = ['serve.py', '--config', {str(shop.config_file)!r}]\n"
        "runpy.run_path('jobs/serve.py', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("install what the service needs with pip install 'clickscore[service]'\n")
    assert len(done.stderr.splitlines()) == 1
