"""One Spark session, one registry and one small shop for all tests of a run."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

# Read when a JVM, or a library with OpenMP, is loaded, so they stand before the imports. The JVM's second compiler
# takes a third of the CPU time of a session that lives for a minute. Without it, a JVM reserves 48 MB for compiled
# code, and an audit over hundreds of files can fill them, which ends it; with both, it reserves 240 MB. Threads of
# OpenMP that wait in a loop, where all cores are busy, make a small training take up to ten times the CPU time.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC")
os.environ.setdefault("SPARK_LAUNCHER_OPTS", os.environ["SPARK_SUBMIT_OPTS"])
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# uv leaves the bytecode of packages to their first import. Where that must not write it, as in many containers, each of
# the processes that tests start compiles MLflow and pandas anew: more than half of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import pytest
import yaml
from hypothesis import settings
from pyspark.sql import SparkSession
from tests.support.class_archive import ARCHIVE, SUBMIT_ARGUMENTS, USES_ARCHIVE
from tests.support.jobs import Done, job_module
from tests.support.models import log_and_register, register_booster, register_classifier
from tests.support.shop import Demo, Shop, click, open_shop
from tests.support.watched import Watched
from xdist.scheduler import LoadFileScheduling

from clickscore.monitoring import lag
from clickscore.monitoring.health import Health
from clickscore.monitoring.lag import StreamWatch
from clickscore.session import build_session
from clickscore.sources.kinds import kind_of
from clickscore.stream.definition import Definition, read_definition
from shopsim.landing import write_history
from shopsim.records import Faults

# The main module of a pytest-xdist process has no file, which PySpark takes for a run of its own doctests, and exits.
sys.modules["__main__"].__dict__.setdefault("__file__", __file__)
sys.dont_write_bytecode = False  # as for the processes that tests start

MARCH_MS = 1_772_323_200_000
DAY_MS = 86_400_000

LONG_LIVED = "-XX:+UseSerialGC"
"""Settings of the JVM of a session that all tests of a process share."""

if ARCHIVE.exists():  # `make test` makes it
    os.environ["SPARK_SUBMIT_OPTS"] = f"{os.environ['SPARK_LAUNCHER_OPTS']} {USES_ARCHIVE}"
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", SUBMIT_ARGUMENTS)
    LONG_LIVED += f" {USES_ARCHIVE}"

SLOWEST_FIRST = ("chaos", "kafka", "cluster", "connect", "unit/service", "streaming", "spark", "browser", "unit")
"""Folders in the order in which they run: what takes minutes in one piece is not left for the end."""

settings.register_profile("repo", max_examples=200, derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=20_000, deadline=None)
settings.load_profile("repo")


TOGETHER = ("tests/kafka/", "tests/unit/service/")
"""Folders whose files run on one worker: they share a broker, or running services."""


class FoldersTogether(LoadFileScheduling):
    """Files run on any worker, but those of some folders all on one."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((folder for folder in TOGETHER if nodeid.startswith(folder)), None)
        return folder or super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return FoldersTogether(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        file = item.path.relative_to(Path(__file__).parent)
        return next((number for number, folder in enumerate(SLOWEST_FIRST) if file.is_relative_to(folder)), -1)

    items.sort(key=place)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    with pytest.MonkeyPatch.context() as patch:  # it lives long enough for code that is compiled well to pay
        patch.setenv("SPARK_SUBMIT_OPTS", LONG_LIVED)
        session = build_session("clickscore-tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def registry_uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A real registry with a real model: version 1, alias champion."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}"
    register_booster(uri, seed=1)
    return uri


@pytest.fixture(name="register_booster", scope="session")
def _register_booster() -> Callable[..., str]:
    return register_booster


@pytest.fixture
def register_model(registry_uri: str) -> Callable[..., str]:
    """Register what a flavor of MLflow logs; the alias champion, or another, points to it afterwards."""
    return partial(log_and_register, registry_uri)


@pytest.fixture(name="register_classifier")
def _register_classifier() -> Callable[..., None]:
    return register_classifier


@pytest.fixture
def shop(tmp_path: Path, registry_uri: str) -> Shop:
    return open_shop(tmp_path, registry_uri)


@pytest.fixture(scope="session")
def make_shop(registry_uri: str) -> Callable[[Path], Shop]:
    return lambda home: open_shop(home, registry_uri)


@pytest.fixture(scope="session")
def make_click() -> Callable[..., dict[str, Any]]:
    return click


@pytest.fixture
def run_job(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a job, by name, with its arguments, in this process and with the session that is there."""

    def run(job: str, *arguments: str) -> Done:
        module = job_module(job)
        capsys.readouterr()
        try:
            status = module.main(list(arguments))
        except SystemExit as end:  # of the parser of the arguments
            status = int(end.code or 0)
        return Done(status, *capsys.readouterr())

    return run


@pytest.fixture
def definition(shop: Shop) -> Definition:
    return read_definition(shop.config)


@pytest.fixture
def watched(spark: SparkSession, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Watched]]:
    """Start the stream of the shop, as the configuration is then."""
    monkeypatch.setattr(lag, "LOOK_AFTER_S", 0)
    started: list[Watched] = []

    def start() -> Watched:
        shop.set(health={"port": 0}, trigger="300 milliseconds")
        config, turn = shop.config, threading.Semaphore(0)
        rows = kind_of(config.source).read_stream(spark, config.source)
        writer = rows.writeStream.option("checkpointLocation", config.checkpoint)
        writer = writer.trigger(processingTime=config.trigger)
        query = writer.foreachBatch(lambda rows, _: bool(turn.acquire() and rows.count())).start()
        health = Health.of(config)
        started.append(Watched(StreamWatch(spark, config, health), health, query, turn))
        return started[-1]

    yield start
    for stream in started:
        stream.turn.release(1_000)
        stream.query.stop()


@pytest.fixture(scope="session")
def demo(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Demo:
    home = tmp_path_factory.mktemp("demo")
    tree = yaml.safe_load(Path("conf/local.yaml").read_text().replace("build/demo", str(home)))
    (home / "run.yaml").write_text(yaml.safe_dump(tree))
    demo = Demo(home, home / "run.yaml", f"sqlite:///{home}/mlflow.db")
    list(write_history(home / "history", 80_000, 20_000, MARCH_MS, 14.0, 1, Faults()))
    demo.records = sum(
        write_history(demo.landing, 5_000, 1_000, MARCH_MS + 14 * DAY_MS, 2.0, 2, Faults(0.01, 0.01, 0.01))
    )
    demo.train(spark)
    demo.run(spark)
    return demo
