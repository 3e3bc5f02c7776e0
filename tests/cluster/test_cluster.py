"""The job on a cluster of several processes, and what it survives there; each test goes on where the last one ended."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import deltalake
import psutil
import pyarrow as pa
import pytest
from confluent_kafka import Producer

from shopsim.broker import Broker
from shopsim.topics import make_topic

TOPIC, PARTITIONS = "clicks", 3
PORTION = 300
WORKERS = "worker-0", "worker-1"
ON_EXECUTORS = "./environment/bin/python"
TABLES = "spark_catalog.default"
SCRIPT = "tests/data/on_executors.py"
EVERY_ROW = """
SELECT source, source_offset, score FROM scored_clicks
UNION ALL SELECT source, source_offset, NULL FROM rejected_clicks
"""


def submitted(cluster: Any, name: str, environment: Path, *options: str) -> list[str]:
    """Submit the script that imports the package on an executor; return the file and the Python that it has found."""
    answer = cluster.home / f"{name}.txt"
    job = cluster.submit(name, "--conf", "spark.cores.max=1", *options, SCRIPT, str(answer),
                         env={"PYSPARK_PYTHON": str(environment)})  # fmt: skip
    cluster.await_(lambda: cluster.has_ended(job), "the end", name)
    assert answer.is_file(), cluster.log(name).read_text()[-3000:]
    return str(answer.read_text()).splitlines()


def test_zip_is_imported_on_executors(cluster: Any, environment: Path) -> None:
    file, python = submitted(cluster, "zip", environment, "--py-files", "dist/clickscore.zip")
    assert file.endswith("/clickscore.zip/clickscore/scoring/decoding.py")
    assert Path(file).is_relative_to(cluster.home / "worker-0") or Path(file).is_relative_to(cluster.home / "worker-1")
    assert python == str(environment)


def test_wheel_that_is_installed_is_imported_on_executors(cluster: Any, environment: Path, tmp_path: Path) -> None:
    [wheel] = Path("dist").glob("*.whl")
    packages = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(packages)]
    subprocess.run([*pip, str(wheel)], check=True)
    file, _ = submitted(cluster, "wheel", environment, "--conf", f"spark.executorEnv.PYTHONPATH={packages}")
    assert file == str(packages / "clickscore" / "scoring" / "decoding.py")


class Run:
    """A stream on the cluster, from a broker, with a model from an HTTP server, into tables of a metastore."""

    def __init__(
        self, cluster: Any, broker: Broker, registry: str, python: Path, make_click: Callable[..., Any]
    ) -> None:
        """Submit the job, with a first portion of clicks waiting."""
        self.cluster, self._make_click, self.sent = cluster, make_click, 0
        make_topic(broker.servers, TOPIC, PARTITIONS)
        self._producer = Producer({"bootstrap.servers": broker.servers, "log_level": 0})
        values = {
            "source.bootstrap_servers": broker.servers,
            "click": "{schema: tests/data/click.ddl, id: id, time: at, visitor: visitor}",
            "features": "tests/data/features.sql",
            "model": f"{{uri: 'models:/small_model@champion', registry: '{registry}'}}",
            "output": f"{{scored: {TABLES}.scored_clicks, rejected: {TABLES}.rejected_clicks}}",
            "checkpoint": str(cluster.home / "checkpoint"),
            "trigger": "1 second",
            "health": "{port: 0}",
        }
        self.send()
        self.driver: psutil.Process = cluster.submit(
            "driver", "--conf", f"spark.pyspark.python={ON_EXECUTORS}",
            "--conf", f"spark.pyspark.driver.python={python}", "--py-files", "dist/clickscore.zip",
            "--archives", "dist/environment.tar.gz#environment",
            "jobs/score_stream.py", "--config", "conf/cluster.yaml",
            *[word for key, value in values.items() for word in ("--set", f"{key}={value}")], env={},
        )  # fmt: skip

    def send(self) -> None:
        """Send a portion of clicks and a record that is none, and wait until the broker has them."""
        for number in range(self.sent + 1, self.sent + PORTION):
            value = json.dumps(self._make_click(number, quantity=number % 5)).encode()
            self._producer.produce(TOPIC, value, partition=number % PARTITIONS)
        self._producer.produce(TOPIC, b"rubbish", partition=0)
        assert self._producer.flush(30) == 0
        self.sent += PORTION

    def settle(self) -> None:
        """Wait until there are as many rows as records were sent, or more."""
        self.cluster.await_(lambda: len(self.rows()) >= self.sent, f"row {self.sent}", "driver")

    def feed(self, is_done: Callable[[], bool], what: str) -> None:
        """Send portions until something has come true: an executor that is late gets no task of the first ones."""

        def feed_once_more() -> bool:
            if not is_done():
                self.send()
                self.settle()
            return is_done()

        self.cluster.await_(feed_once_more, what, "driver")

    def python_workers(self, name: str) -> list[psutil.Process]:
        """Return the Python processes of the executor on a worker; none while there is no executor."""
        executor = self.cluster.executors().get(name)
        return [child for child in executor.children(recursive=True) if _is_python(child)] if executor else []

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of both tables, from the files that the metastore's tables consist of."""
        query = deltalake.QueryBuilder()
        for name in ("scored_clicks", "rejected_clicks"):
            folder = self.cluster.home / "warehouse" / name
            if not (folder / "_delta_log" / f"{0:020}.json").is_file():
                return []
            query = query.register(name, deltalake.DeltaTable(str(folder)))
        rows: list[dict[str, Any]] = pa.table(query.execute(EVERY_ROW)).to_pylist()
        return rows

    def models(self, worker: str) -> list[Path]:
        """Return the unpacked models of a worker's executors, each of which has a folder of its own."""
        return sorted((self.cluster.home / worker).glob("work/app-*/*/clickscore-model-*"))


def _is_python(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it has just ended
        return "pyspark" in " ".join(process.cmdline())
    return False


@pytest.fixture(scope="module")
def run(
    cluster: Any, cluster_broker: Broker, registry_server: str, environment: Path, make_click: Callable[..., Any]
) -> Iterator[Run]:  # fmt: skip
    run = Run(cluster, cluster_broker, registry_server, environment, make_click)
    run.settle()
    return run


def test_executors_have_nothing_of_the_driver_but_what_it_sent_them(run: Run) -> None:
    run.feed(lambda: all(map(run.python_workers, WORKERS)), "Python on both workers")
    for name, executor in run.cluster.executors().items():
        assert Path(executor.cwd()).is_relative_to(run.cluster.home / name)
        assert str(Path("lib").absolute()) not in executor.environ().get("PYTHONPATH", "")
        assert {process.cmdline()[0] for process in run.python_workers(name)} == {ON_EXECUTORS}


def test_model_is_unpacked_once_on_each_executor(run: Run) -> None:
    def counts() -> list[int]:
        return [len(run.models(name)) for name in WORKERS]

    run.feed(lambda: min(counts()) > 0, "a model on each")
    run.send()
    run.settle()
    assert counts() == [1, 1]


def test_killed_executor_loses_nothing_and_the_next_one_needs_no_file_of_the_driver(run: Run) -> None:
    # What the driver has fetched is not what executors load.
    fetched = [place.parent for place in (run.cluster.home / "driver" / "tmp").glob("clickscore-*/*/MLmodel")]
    assert fetched
    for folder in fetched:
        shutil.rmtree(folder)
    old = run.cluster.executors()["worker-0"]
    run.send()
    old.kill()
    run.send()
    run.settle()
    run.feed(lambda: run.cluster.executors().get("worker-0", old) != old, "another executor")
    run.feed(lambda: len(run.models("worker-0")) == 2, "its model")


def test_killed_worker_loses_nothing(run: Run) -> None:
    orphan = run.cluster.executors()["worker-1"]
    run.send()
    run.cluster.workers["worker-1"].kill()
    run.send()
    run.settle()
    run.cluster.await_(lambda: run.cluster.has_ended(orphan), "the end of its executor", "worker-1")
    run.send()
    run.settle()


def test_every_record_is_in_exactly_one_row(run: Run) -> None:
    run.driver.terminate()
    run.cluster.await_(lambda: run.cluster.has_ended(run.driver), "its end", "driver")
    rows = run.rows()
    places = sorted((row["source"], row["source_offset"]) for row in rows)
    assert len(places) == run.sent
    for number in range(PARTITIONS):
        offsets = [offset for source, offset in places if source == f"{TOPIC}-{number}"]
        assert offsets == list(range(len(offsets)))
    assert sum(row["score"] is None for row in rows) == run.sent // PORTION
