"""A Spark cluster of several processes, a registry behind HTTP and a broker: what the job meets where people run it.

Master and workers are processes of their own, each with a working directory, a place for temporary files and an
environment that have nothing in common with those of the driver.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyspark
import pytest
from tests.support.ports import LOOPBACK, free_ports

from shopsim.broker import Broker

SPARK_HOME = Path(pyspark.__path__[0])
PATIENCE_S, POLL_S = 180, 0.2
WORKERS = 2
QUICK_TO_START = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
CLEAN = ("PATH", "HOME", "JAVA_HOME", "LANG", "LC_ALL")
"""What a process of the cluster has of our environment; above all no PYTHONPATH."""


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process is gone, or waits for its parent to notice that."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


@dataclass
class Place:
    """Where the processes of a cluster live, and what they have written."""

    home: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, command: list[str], env: Mapping[str, str], cwd: Path | None = None) -> psutil.Process:
        """Start a process with a folder of its own, and a place for temporary files in it."""
        folder = self.home / name
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        own = {key: os.environ[key] for key in CLEAN if key in os.environ}
        own |= {"TMPDIR": str(folder / "tmp"), "SPARK_LOCAL_DIRS": str(folder / "tmp"), "SPARK_HOME": str(SPARK_HOME),
                "SPARK_LOCAL_IP": LOOPBACK, "SPARK_CONF_DIR": str(self.home / "conf"),
                "SPARK_LAUNCHER_OPTS": QUICK_TO_START, **env}  # fmt: skip
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(command, cwd=cwd or folder, env=own, stdout=log, stderr=log,
                                       stdin=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        self.started.append(process)
        return psutil.Process(process.pid)

    has_ended = staticmethod(has_ended)

    def log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def await_(self, is_done: Callable[[], bool], what: str, name: str) -> None:
        """Wait for something that a process does."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_done():
            assert time.monotonic() < deadline, f"{what} does not come: {self.log(name).read_text()[-3000:]}"
            time.sleep(POLL_S)

    def stop(self) -> None:
        """End all that was started, the latest first."""
        for process in reversed(self.started):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            process.wait()


@dataclass
class Cluster(Place):
    """A standalone master and its workers.

    Attributes:
        url: of the master.
        workers: their daemons, by name; the executors are children of them.
    """

    url: str = ""
    workers: dict[str, psutil.Process] = field(default_factory=dict)

    def open(self) -> None:
        (self.home / "conf").mkdir(parents=True)
        (self.home / "conf" / "spark-defaults.conf").write_text(self._defaults())
        (self.home / "conf" / "log4j2.properties").write_text(Path("conf/spark/log4j2.properties").read_text())
        first = free_ports(2 + WORKERS)
        port, page, *pages = range(first, first + 2 + WORKERS)
        self.url = f"spark://{LOOPBACK}:{port}"
        self._daemon("master", "master.Master", "--host", LOOPBACK, "--port", str(port), "--webui-port", str(page))
        self.await_(lambda: bool(_ask(f"http://{LOOPBACK}:{page}/json/")), "the master", "master")
        for number, own_page in enumerate(pages):
            options = ["--host", LOOPBACK, "--webui-port", str(own_page), "--cores", "1", "--memory", "1g"]
            self.workers[f"worker-{number}"] = self._daemon(
                f"worker-{number}", "worker.Worker", *options, "--work-dir", "work", self.url
            )
        overview = f"http://{LOOPBACK}:{page}/json/"
        self.await_(lambda: _ask(overview).get("aliveworkers") == WORKERS, "a worker", "worker-0")

    def _daemon(self, name: str, main: str, *options: str) -> psutil.Process:
        command = [str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{main}", *options]
        return self.start(name, command, {"SPARK_DAEMON_JAVA_OPTS": QUICK_TO_START, "SPARK_DAEMON_MEMORY": "256m"})

    def _defaults(self) -> str:
        """What the cluster owns: Delta, Kafka and a metastore. Nothing of `conf/spark` is here by accident."""
        jars = ",".join(sorted(str(jar) for jar in Path("build/jars/spark").absolute().glob("*.jar")))
        settings = {
            "spark.jars": jars,
            "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
            "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
            "spark.sql.catalogImplementation": "hive",
            "spark.sql.warehouse.dir": str(self.home / "warehouse"),
            "spark.hadoop.javax.jdo.option.ConnectionURL":
                f"jdbc:derby:;databaseName={self.home / 'metastore'};create=true",
            "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
            "spark.hadoop.hive.metastore.schema.verification": "false",
            "spark.driver.extraJavaOptions": f"{QUICK_TO_START} -Dderby.stream.error.file={self.home / 'derby.log'}",
            "spark.driver.host": LOOPBACK,
            "spark.driver.memory": "1g",
            "spark.executor.memory": "640m",
            "spark.executor.cores": "1",
            "spark.executor.extraJavaOptions": QUICK_TO_START,
            "spark.ui.enabled": "false",
        }  # fmt: skip
        return "".join(f"{key} {value}\n" for key, value in settings.items())

    def submit(self, name: str, *arguments: str, env: Mapping[str, str]) -> psutil.Process:
        """Submit an application from the repository, as a person does."""
        command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", self.url, "--deploy-mode", "client"]
        return self.start(name, [*command, *arguments], env, cwd=Path.cwd())

    def executors(self) -> dict[str, psutil.Process]:
        """Return the executors that are alive, by the name of their worker."""
        return {name: child for name, worker in self.workers.items() for child in _children(worker) if _executes(child)}


def _children(process: psutil.Process) -> list[psutil.Process]:
    return [] if has_ended(process) else process.children()


def _executes(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it has just ended; those of earlier applications may be zombies
        return any("CoarseGrainedExecutorBackend" in word for word in process.cmdline()) and not has_ended(process)
    return False


def _ask(url: str) -> dict[str, object]:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return dict(json.load(answer))
    except OSError:
        return {}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.open()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of the driver: the packed packages, unpacked as Spark does it for the executors."""
    home = tmp_path_factory.mktemp("environment")
    # By tar, as tarfile asks for a filter from Python 3.12 on, and does not know it before 3.11.4.
    subprocess.run(["tar", "-xzf", "dist/environment.tar.gz", "-C", str(home)], check=True)
    return home / "bin" / "python"


@pytest.fixture(scope="module")
def registry_server(
    tmp_path_factory: pytest.TempPathFactory, register_booster: Callable[..., str]
) -> Iterator[str]:  # fmt: skip
    """A tracking server that hands out the files of its models itself, with a champion."""
    place = Place(tmp_path_factory.mktemp("registry"))
    port = free_ports(1)
    server = f"http://{LOOPBACK}:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1",
               "--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "artifacts"]  # fmt: skip
    try:
        place.start("server", command, {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
        place.await_(lambda: _is_well(server), "the registry", "server")
        register_booster(server, seed=1)
        yield server
    finally:
        place.stop()


def _is_well(server: str) -> bool:
    try:
        with urllib.request.urlopen(f"{server}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def cluster_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("kafka"), free_ports(2))
    broker.start()
    yield broker
    broker.kill()
