"""Faults of the registry: a tracking server that is down when the job starts, or goes away under the running stream."""

import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.chaos.checkpoints import stopped
from tests.chaos.job import POLL_S, START_PATIENCE_S, wait_until
from tests.chaos.site import Fault, Site
from tests.support.ports import free_ports

LEAN = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
"""What the server would start beside itself, and nobody needs here."""
SILENCE_S = 5
"""How long the server is away in mid-stream: several polls of the job."""


class ServerSite(Site):
    """A site whose registry is a server of its own, which also hands out the files of the models."""

    def __init__(self, home: Path, rng: random.Random) -> None:
        """Make the site."""
        self._port = free_ports(1)
        self._server: subprocess.Popen[bytes] | None = None
        super().__init__(home, rng)

    def _open_registry(self) -> str:
        self.open_server()
        return f"http://127.0.0.1:{self._port}"

    def open_server(self) -> None:
        """Start the server, and wait until it answers."""
        place = self.home / "registry"
        place.mkdir(exist_ok=True)
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port),
                   "--workers", "1", "--backend-store-uri", f"sqlite:///{place / 'mlflow.db'}",
                   "--artifacts-destination", str(place / "artifacts")]  # fmt: skip
        with (self.home / "registry.log").open("ab") as log:
            self._server = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env={**os.environ, **LEAN}
            )
        wait_until(self._answers, "the registry to answer", START_PATIENCE_S, 4 * POLL_S)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def signal_server(self, number: int) -> None:
        """Send a signal to all processes of the server."""
        assert self._server
        os.killpg(self._server.pid, number)
        if number == signal.SIGKILL:
            self._server.wait()

    def close(self) -> None:
        super().close()
        if self._server and self._server.poll() is None:
            self.signal_server(signal.SIGKILL)


def down_at_the_start(site: Site) -> float:
    """The server was killed before the job starts, and comes up after the job has tried in vain."""
    assert isinstance(site, ServerSite)
    stopped(site)
    site.signal_server(signal.SIGKILL)
    site.send()
    job = site.start()
    job.wait_for("attempt 1 failed")
    time.sleep(site.rng.uniform(0, SILENCE_S))
    site.open_server()
    return time.monotonic()


def killed_under_the_stream(site: Site) -> float:
    """The server is killed; the stream goes on with the version that it has, and follows the alias again afterwards."""
    assert isinstance(site, ServerSite)
    site.running()
    site.signal_server(signal.SIGKILL)
    goes_on_without(site)
    site.open_server()
    moment = time.monotonic()
    site.move_alias()
    site.send()
    return moment


def hanging_under_the_stream(site: Site) -> float:
    """The server takes connections, and does not answer for a while."""
    assert isinstance(site, ServerSite)
    site.running()
    site.signal_server(signal.SIGSTOP)
    try:
        goes_on_without(site)
    finally:
        site.signal_server(signal.SIGCONT)
    moment = time.monotonic()
    site.move_alias()
    site.send()
    return moment


def goes_on_without(site: Site) -> None:
    """Make sure that clicks are scored while the registry is away."""
    until = time.monotonic() + SILENCE_S
    while time.monotonic() < until:
        site.send()
        site.settle()


FAULTS: dict[str, Fault] = {
    "registry down at the start": down_at_the_start,
    "registry killed in mid-stream": killed_under_the_stream,
    "registry hangs in mid-stream": hanging_under_the_stream,
}
