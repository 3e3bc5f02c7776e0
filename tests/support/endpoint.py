"""Endpoints of tests: MLflow's own server in a process, and a gateway before it that can be in a bad mood."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.ports import LOOPBACK, free_ports
from tests.support.waiting import wait_until

PATIENCE_S = 180.0
"""A busy machine takes a minute for what takes ten seconds otherwise."""
VERSION_HEADER = "X-Model-Version"


class MlflowServer:
    """``mlflow models serve`` of a registered model, on a port that it keeps over restarts."""

    def __init__(self, registry_uri: str, model_uri: str, log: Path, env: dict[str, str] | None = None) -> None:
        self.port = free_ports(1)
        self.url = f"http://{LOOPBACK}:{self.port}/invocations"
        self._log = log
        programs = Path(sys.executable).parent
        self._command = [str(programs / "mlflow"), "models", "serve", "--model-uri", model_uri, "--env-manager",
                         "local", "--port", str(self.port)]  # fmt: skip
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"  # MLflow starts the uvicorn that it finds there
        modules = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])  # models of tests.support
        self._env = {**os.environ, "MLFLOW_TRACKING_URI": registry_uri, "PATH": path, "PYTHONPATH": modules,
                     **(env or {})}  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._env, start_new_session=True
            )
        wait_until(self._answers, "mlflow models serve", PATIENCE_S)

    def kill(self) -> None:
        """End the server and the process that it runs in, in the middle of whatever they do."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        assert self._process
        assert self._process.poll() is None, self._log.read_text()[-2_000:]
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self.port}/ping", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def mlflow_served(
    registry_uri: str, model_uri: str, home: Path, env: dict[str, str] | None = None
) -> Iterator[MlflowServer]:
    """Serve a registered model while the block runs."""
    server = MlflowServer(registry_uri, model_uri, home / "mlflow.log", env)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@dataclass
class Reply:
    """What the gateway answers."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    pause_s: float = 0.0
    dribble_s: float = 0.0


Mood = Callable[[int, bytes], Reply | None]
"""Number of a request, from 0, and its body, to the answer; None passes it on."""


class Gateway:
    """A server that passes requests on and names a version, unless its mood is another.

    Attributes:
        version: what it says in the header; without one, the header is missing.
        mood: decides about each request.
        requests: how many there were.
        seen: headers of the last one.
        paths: of all of them.
        connections: which are open.
        most: most of them at a time.
    """

    def __init__(self, behind: str = "", version: str | None = "7") -> None:
        self.behind, self.version = behind, version
        self.mood: Mood = lambda _, body: None
        self.requests, self.most, self._now = 0, 0, 0
        self.seen: dict[str, str] = {}
        self.paths: list[str] = []
        self.connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                gateway.connections.add(self.connection)

            def finish(self) -> None:
                gateway.connections.discard(self.connection)
                super().finish()

            def do_POST(self) -> None:
                gateway.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.url = f"http://{LOOPBACK}:{self._server.server_port}/invocations"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            number, self.requests, self._now = self.requests, self.requests + 1, self._now + 1
            self.most = max(self.most, self._now)
            self.seen = dict(request.headers)
            self.paths.append(request.path)
        body = request.rfile.read(int(request.headers["Content-Length"]))
        reply = self.mood(number, body) or self._pass_on(body)
        time.sleep(reply.pause_s)
        with self._lock:
            self._now -= 1
        headers = {"Content-Length": str(len(reply.body)), **reply.headers}
        if self.version:
            headers[VERSION_HEADER] = self.version
        try:
            request.send_response(reply.status)
            for name, value in headers.items():
                request.send_header(name, value)
            request.end_headers()
            for byte in reply.body if reply.dribble_s else ():
                request.wfile.write(bytes([byte]))
                request.wfile.flush()
                time.sleep(reply.dribble_s)
            if not reply.dribble_s:
                request.wfile.write(reply.body)
        except OSError:  # the client has given up
            request.close_connection = True

    def _pass_on(self, body: bytes) -> Reply:
        headers = {"Content-Type": "application/json"}
        try:
            with urllib.request.urlopen(urllib.request.Request(self.behind, body, headers), timeout=60) as answer:
                return Reply(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            return Reply(error.code, error.read())
        except OSError:
            return Reply(502, b"no upstream")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        # A client that keeps its connection would still be answered by the threads of a server that is gone.
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def gateway(behind: str = "", version: str | None = "7") -> Iterator[Gateway]:
    """Run a gateway while the block runs."""
    running = Gateway(behind, version)
    running.start()
    try:
        yield running
    finally:
        running.stop()
