"""The microservice in a process of its own, started by its job, and asked over HTTP."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.support.shop import Shop
from tests.support.waiting import wait_until

_ADDRESS = re.compile(r"answers at (http://\S+)/score")
PATIENT = "60 seconds"
"""A time limit that is not over while a test keeps the model waiting."""
PATIENCE_S = 180.0
"""A busy machine takes a minute for what takes three seconds otherwise."""


class Served:
    """A running service.

    Attributes:
        said: what it has printed so far, line by line.
        client: asks it.
    """

    def __init__(self, *command: str, env: dict[str, str] | None = None) -> None:
        self.said: list[str] = []
        path = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])  # models of tests.support
        environment = {**os.environ, "PYTHONPATH": path, **(env or {})}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        wait_until(lambda: self._address() is not None or self.process.poll() is not None, "the service", PATIENCE_S)
        address = self._address()
        assert address, "\n".join(self.said)
        self.url = address
        self.port = int(address.rpartition(":")[2])
        self.client = httpx.Client(base_url=self.url, timeout=PATIENCE_S)

    def _read(self) -> None:
        assert self.process.stdout
        self.said.extend(line.rstrip() for line in self.process.stdout)

    def _address(self) -> str | None:
        found = _ADDRESS.search("\n".join(self.said))
        return found[1] if found else None

    def ask(self, body: Any, **headers: str) -> httpx.Response:
        """Send a body to /score: bytes as they are, anything else as JSON."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, bytes):
            return self.client.post("/score", content=body, headers=names)
        return self.client.post("/score", json=body, headers=names)

    def metric(self, name: str) -> float:
        """Return the sum of a metric over its labels."""
        lines = self.client.get("/metrics").text.splitlines()
        found = [line for line in lines if re.match(rf"{name}[{{ ]", line)]
        assert found, name
        return sum(float(line.rpartition(" ")[2]) for line in found)

    @property
    def version(self) -> str | None:
        """The version at work; None where the service is not ready."""
        answer = self.client.get("/readyz").json()
        return str(answer["model_version"]) if answer["status"] == "ready" else None

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; return its exit status."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return status


@contextmanager
def served(shop: Shop, env: dict[str, str] | None = None, **service: Any) -> Iterator[Served]:
    """Run the service of a shop while the block runs."""
    shop.set(service={"port": 0, **service})
    running = Served(sys.executable, "jobs/serve.py", "--config", str(shop.config_file), env=env)
    try:
        yield running
    finally:
        running.client.close()
        if running.process.poll() is None:
            running.stop()
