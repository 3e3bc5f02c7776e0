"""The HTTP side of the health of a running job: ``/healthz`` for a supervisor, ``/metrics`` for Prometheus."""

import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from rich.console import Console

from clickscore.config.run import HealthEndpoint
from clickscore.errors import ConfigError
from clickscore.monitoring.health import Health

CLIENT_PATIENCE_S = 10
"""How long a client that has connected may take to say what it wants."""


@contextmanager
def serving(endpoint: HealthEndpoint | None, health: Health, console: Console) -> Iterator[None]:
    """Answer questions about the health while the block runs; without an endpoint, nothing listens.

    Args:
        endpoint: where to listen.
        health: what to tell.
        console: where the address is told.

    Raises:
        ConfigError: if the job cannot bind to it.
    """
    if not endpoint:
        yield
        return
    with _listen(endpoint) as server:
        server.set_app(_make_app(health))
        console.print(f"health: {server.url}/healthz and /metrics", highlight=False, markup=False, soft_wrap=True)
        thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def _make_app(health: Health) -> WSGIApplication:
    try:
        # Here, because a job without the endpoint neither loads it nor needs it.
        from prometheus_client import make_wsgi_app

        from clickscore.monitoring.metrics import make_registry
    except ImportError as error:
        problem = f"it needs the package prometheus-client: {error}. Install it on the driver, or leave health out."
        raise ConfigError("health", [problem]) from None
    metrics = make_wsgi_app(make_registry(health))

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                answer: Iterable[bytes] = metrics(environ, start_response)
                return answer
            case "/healthz":
                code, said = describe(health)
            case _:
                code, said = HTTPStatus.NOT_FOUND, {"error": "there are /healthz and /metrics"}
        body = json.dumps(said).encode() + b"\n"
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(f"{code.value} {code.phrase}", headers)
        return [body]

    return app


def describe(health: Health) -> tuple[HTTPStatus, dict[str, Any]]:
    """Return what ``/healthz`` answers.

    503 only where a restart may help: a job that is ``behind`` works, and would be later still after a restart.
    """
    pulse = health.pulse()
    code = HTTPStatus.SERVICE_UNAVAILABLE if pulse.status == "stuck" else HTTPStatus.OK
    return code, {
        "status": pulse.status,
        "quiet_seconds": round(pulse.quiet_s, 1),
        "oldest_unprocessed_seconds": None if pulse.oldest_s is None else round(pulse.oldest_s, 1),
        "last_batch": pulse.last_batch,
        "last_batch_at": pulse.last_batch_at.isoformat(timespec="milliseconds") if pulse.last_batch_at else None,
        "consecutive_failures": pulse.failures,
        "retries": pulse.retries,
        "model": dict(zip(("name", "version"), pulse.model, strict=True)) if pulse.model else None,
        "read": pulse.read,
        "scored": pulse.scored,
        "rejected": pulse.rejected,
        "duplicates": pulse.duplicates,
    }


class _Quiet(WSGIRequestHandler):
    """Keeps no access log: a probe that comes every few seconds would bury the lines of the micro-batches."""

    timeout = CLIENT_PATIENCE_S

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each client in a thread of its own, so that a slow one holds up no probe."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int) -> None:
        """Listen there.

        Raises:
            OSError: if that is not possible.
        """
        [(family, *_, address), *_] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = family
        super().__init__((str(address[0]), int(address[1])), _Quiet)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which the inherited way does, and which can take long."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of a client that has gone away; what goes wrong in an answer is told before it comes here."""

    @property
    def url(self) -> str:
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}"


def _listen(endpoint: HealthEndpoint) -> _Server:
    try:
        return _Server(endpoint.host, endpoint.port)
    except OSError as error:
        problem = (
            f"cannot bind to {endpoint.host}:{endpoint.port}: {error.strerror or error}. Stop the process that listens "
            f"there, or choose another health.port (0 takes any free port) or health.host."
        )
        raise ConfigError("health", [problem]) from None
