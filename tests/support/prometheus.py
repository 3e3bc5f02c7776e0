"""A real Prometheus that scrapes what a test runs, with the alerts of conf/prometheus."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.support.ports import LOOPBACK, free_ports
from tests.support.waiting import wait_until

RULES = Path("conf/prometheus/alerts.yml")
MISSING = "Prometheus is not installed: apt install prometheus, or brew install prometheus"


class Prometheus:
    """A Prometheus that runs."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10)

    def names(self) -> set[str]:
        """Return the names of the metrics that it has seen."""
        return set(self._ask("label/__name__/values"))

    def alerts(self) -> set[str]:
        """Return the names of the alerts that fire."""
        found = self._ask("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    def is_up(self) -> bool:
        """Tell whether it answers."""
        try:
            return self._client.get("/-/ready").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def close(self) -> None:
        """Ask no more."""
        self._client.close()

    def _ask(self, what: str) -> Any:
        return self._client.get(f"/api/v1/{what}").raise_for_status().json()["data"]


@contextmanager
def watching(home: Path, job: str, port: int) -> Iterator[Prometheus]:
    """Scrape a job of conf/prometheus/prometheus.yml every second; its alerts fire at once, not after minutes."""
    command = shutil.which("prometheus")
    assert command, MISSING
    rules = yaml.safe_load(RULES.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    home.mkdir()
    (home / "alerts.yml").write_text(yaml.safe_dump(rules))
    targets = [{"job_name": job, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}]
    often = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    settings = {"global": often, "rule_files": ["alerts.yml"], "scrape_configs": targets}
    (home / "prometheus.yml").write_text(yaml.safe_dump(settings))
    address = f"{LOOPBACK}:{free_ports(1)}"
    with (home / "log").open("w") as log:
        running = subprocess.Popen(
            [command, f"--config.file={home}/prometheus.yml", f"--storage.tsdb.path={home}/data",
             f"--web.listen-address={address}"], stdout=log, stderr=log,
        )  # fmt: skip
    prometheus = Prometheus(f"http://{address}")
    try:
        wait_until(lambda: running.poll() is not None or prometheus.is_up(), "Prometheus")
        assert running.poll() is None, (home / "log").read_text()
        yield prometheus
    finally:
        prometheus.close()
        running.terminate()
        running.wait()
