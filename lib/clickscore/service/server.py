"""The composition root of the microservice: model, scorer, endpoints and server, started and stopped in order.

The main thread scores, so that a model that hangs can be interrupted; the server has a thread of its own.
"""

import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import uvicorn
from rich.console import Console
from starlette.types import ASGIApp

from clickscore.config.run import Config
from clickscore.config.secrets import resolve
from clickscore.config.service import Service
from clickscore.console import warn
from clickscore.errors import ConfigError, RunError
from clickscore.scoring.contract import Contract, contract_of, protected
from clickscore.scoring.features import read_features
from clickscore.scoring.reading import needed_steps_of, writing_order
from clickscore.scoring.record_tree import put
from clickscore.service.batching import Batcher
from clickscore.service.champion import Champion, Item
from clickscore.service.endpoints import State, make_app
from clickscore.service.write_behind import WriteBehind

CALL_RECORDS = 4_096
"""Most records in one call of the scorer: more would let single clicks wait for long."""
CALL_SHARE = 4
"""A call of the model may take this part of a request's time limit: a click that hangs in a shared call is tried a
second time, alone, and the others shall have their answers before their own time is over."""
DRAIN_S = 1.0
"""How long the service still answers after SIGTERM, each answer the last one of its connection."""
STOP_LIMIT_S = 30
"""How long requests in flight may take after that."""
BACKLOG = 2_048
"""Connections that may wait to be accepted."""


def serve(config: Config, console: Console) -> None:
    """Answer requests until SIGTERM or SIGINT; those that were accepted are answered first.

    Args:
        config: the run; ``click``, ``features``, ``model`` and ``service`` are used.
        console: where the progress goes.

    Raises:
        WiringError: if the wiring is wrong; no click is scored then.
        RunError: if the server ends by itself.
    """
    config.model.require_registered("jobs/serve.py")
    service = config.service or Service()
    token = _token(service)
    contract = protected(contract_of(config.click), config.privacy)
    features = read_features(config.features, contract.click)
    tell, stopping = partial(warn, console), threading.Event()
    limit_s = min(config.model.time_limit_ms, service.time_limit_ms / CALL_SHARE) / 1000
    place = tempfile.TemporaryDirectory(prefix="clickscore-", ignore_cleanup_errors=True)
    with place as folder, _listening(service) as listener:
        champion = Champion(config.model, contract, features, limit_s, Path(folder), tell)
        batcher = Batcher[Item](champion.score, champion.score_shared, CALL_RECORDS, service.max_waiting)
        behind = WriteBehind(Path(service.write_behind.path), tell) if service.write_behind else None
        state = State(champion, batcher, stopping, token, behind)
        http = _Http(make_app(service, state, _example(contract), config.model.picks), listener, stopping, batcher.stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, http.stop)
        http.start()
        if behind:
            behind.start()
        try:
            first = champion.begin()
            champion.follow()
            where = f"http://{_address(listener)}/score"
            console.print(f"{first.name} version {first.version} answers at {where}", highlight=False, markup=False)
            batcher.work()  # until the server has ended
        finally:
            http.end()
            champion.stop()
            if behind:
                behind.stop()
    if not stopping.is_set():
        raise RunError("the HTTP server has ended unexpectedly; its messages are above. Start the service again")
    console.print("stopped; every request that was accepted has its answer", highlight=False)


class _Http:
    """The server in its thread."""

    def __init__(
        self, app: ASGIApp, listener: socket.socket, stopping: threading.Event, ended: Callable[[], None]
    ) -> None:
        self._listener, self._stopping, self._ended = listener, stopping, ended
        settings = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", server_header=False, backlog=BACKLOG,
            timeout_graceful_shutdown=STOP_LIMIT_S,
        )  # fmt: skip
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._run, name="http")

    def start(self) -> None:
        self._thread.start()

    def stop(self, *_: object) -> None:
        """End after a while in which clients learn of it: every answer closes its connection meanwhile."""
        if not self._stopping.is_set():
            self._stopping.set()
            drained = threading.Timer(DRAIN_S, self._exit)
            drained.daemon = True
            drained.start()

    def end(self) -> None:
        """End now, when all requests are answered."""
        self._exit()
        self._thread.join()

    def _exit(self) -> None:
        self._server.should_exit = True

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._listener])
        finally:
            self._ended()


def _token(service: Service) -> str | None:
    """Return what a request must carry.

    Raises:
        ConfigError: if there is no such secret, or it is empty.
    """
    if service.token is None:
        return None
    token = resolve(service.token, "service.token").strip()
    if not token:
        raise ConfigError("service.token", [f"{service.token} is empty; anybody could ask with an empty token"])
    return token


def _listening(service: Service) -> socket.socket:
    """Return the socket that the service listens on.

    Raises:
        ConfigError: if it cannot have it.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(service.host, service.port, type=socket.SOCK_STREAM)[0]
        # With its protocol named, asyncio sends without delay; else each answer waits 40 ms for an acknowledgement.
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        found = f"cannot listen on {service.host}, port {service.port}: {error.strerror}; choose another port"
        raise ConfigError("service", [found]) from None
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


_EXAMPLES = {"string": "text", "bool": True, "double": 1.5, "float": 1.5, "date32[day]": "2026-03-01"}


def _example(contract: Contract) -> dict[str, object]:
    """Return a click with the required fields, for the documentation."""
    click: dict[str, object] = {}
    for field in writing_order(contract.click):
        value = "2026-03-01T12:00:00Z" if pa.types.is_timestamp(field.type) else _EXAMPLES.get(str(field.type), 1)
        for steps in needed_steps_of(field) if not field.nullable else ():
            put(click, steps, value)
    return click
