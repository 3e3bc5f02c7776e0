"""One Spark session, one registry and one small shop for all tests of a run."""

import importlib.util
import json
import math
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

# Read when a JVM, or a library with OpenMP, is loaded, so they stand before the imports. The JVM's second compiler
# takes a third of the CPU time of a session that lives for a minute. Threads of OpenMP that wait in a loop, where all
# cores are busy, make a small training take up to ten times the CPU time.
os.environ.setdefault("SPARK_SUBMIT_OPTS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
os.environ.setdefault("SPARK_LAUNCHER_OPTS", os.environ["SPARK_SUBMIT_OPTS"])
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import deltalake
import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import settings
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from rich.console import Console
from sklearn.linear_model import LogisticRegression
from xdist.scheduler import LoadFileScheduling

from clickscore.config.run import Config, load
from clickscore.monitoring import lag
from clickscore.monitoring.health import Health
from clickscore.monitoring.lag import StreamWatch
from clickscore.registry.registry import Registry
from clickscore.session import build_session
from clickscore.sources.kinds import kind_of
from clickscore.stream import app
from clickscore.stream.definition import Definition, read_definition
from clickscore.training import training
from clickscore.training.algorithms import LEARNERS
from clickscore.training.registration import register
from shopsim.landing import write_history
from shopsim.records import Faults

# The main module of a pytest-xdist process has no file, which PySpark takes for a run of its own doctests, and exits.
sys.modules["__main__"].__dict__.setdefault("__file__", __file__)

DATA = Path(__file__).parent / "data"
MODEL = "small_model"
MARCH_MS = 1_772_323_200_000
DAY_MS = 86_400_000

LONG_LIVED = "-XX:+UseSerialGC"
"""Settings of the JVM of a session that all tests of a process share."""

SLOWEST_FIRST = ("chaos", "kafka", "cluster", "connect", "streaming", "spark", "unit")
"""Folders in the order in which they run: what takes minutes in one piece is not left for the end."""

settings.register_profile("repo", max_examples=200, derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=20_000, deadline=None)
settings.load_profile("repo")


class OneBroker(LoadFileScheduling):
    """Files run on any worker, but those of tests/kafka all on one: they share a broker."""

    def _split_scope(self, nodeid: str) -> str:
        return "tests/kafka" if nodeid.startswith("tests/kafka/") else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return OneBroker(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return SLOWEST_FIRST.index(folder) if folder in SLOWEST_FIRST else -1

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


def register_booster(uri: str, seed: int, name: str = MODEL, alias: str = "champion") -> str:
    rng = np.random.default_rng(seed)
    features = pd.DataFrame({"double_price": rng.uniform(0, 200, 500), "quantity": rng.integers(0, 5, 500) * 1.0})
    label = (features["double_price"] + rng.normal(0, 40, 500) > 100).astype(float)
    parameters = {"objective": "binary", "verbosity": -1, "seed": seed, "num_leaves": 8}
    booster = lightgbm.train(parameters, lightgbm.Dataset(features, label), num_boost_round=10)
    version, _ = register(
        Registry(uri, create=True), booster, LEARNERS["lightgbm"], name, alias, features.head(2), {}, {}, {}
    )
    return version


@pytest.fixture
def register_model(registry_uri: str) -> Callable[..., str]:
    """Register what a flavor of MLflow logs; the alias champion, or another, points to it afterwards."""

    def log(log_model: Callable[..., Any], name: str, alias: str = "champion", **what: Any) -> str:
        mlflow.set_tracking_uri(registry_uri)
        mlflow.set_registry_uri(registry_uri)
        mlflow.set_experiment(MODEL)
        with mlflow.start_run():
            info = log_model(name="model", registered_model_name=name, pip_requirements=[], **what)
        version = str(info.registered_model_version)
        Registry(registry_uri).set_alias(name, alias, version)
        return version

    return log


@pytest.fixture(name="register_classifier")
def _register_classifier() -> Callable[..., None]:
    return register_classifier


def register_classifier(registry_uri: str, features: pd.DataFrame, name: str) -> None:
    label = [number % 2 for number in range(len(features))]
    classifier = LogisticRegression().fit(features.to_numpy(), label)
    mlflow.set_tracking_uri(registry_uri)
    mlflow.set_registry_uri(registry_uri)
    mlflow.set_experiment("small_model")
    signature = mlflow.models.infer_signature(features, classifier.predict_proba(features.to_numpy()))
    with mlflow.start_run():
        info = mlflow.sklearn.log_model(classifier, name="model", signature=signature, registered_model_name=name,
                                        pyfunc_predict_fn="predict_proba", pip_requirements=[])  # fmt: skip
    client = mlflow.MlflowClient(tracking_uri=registry_uri, registry_uri=registry_uri)
    client.set_registered_model_alias(name, "champion", info.registered_model_version)


def click(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"c{number}", "at": "2026-03-01T12:00:00Z", "visitor": "v1", "price": 10.0 + number, "quantity": 1,
            **fields}  # fmt: skip


@dataclass
class Shop:
    """A landing folder, a configuration and the tables of one test."""

    home: Path
    config_file: Path

    def set(self, **sections: Any) -> None:
        tree = yaml.safe_load(self.config_file.read_text())
        tree.update(sections)
        self.config_file.write_text(yaml.safe_dump(tree))

    @property
    def config(self) -> Config:
        return load(self.config_file)

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    def land(self, name: str, *records: dict[str, Any] | str | bytes) -> Path:
        """Put a file of records into the landing folder, the way a good producer does."""
        lines = [r if isinstance(r, bytes) else (r if isinstance(r, str) else json.dumps(r)).encode() for r in records]
        return self.land_bytes(name, b"".join(line + b"\n" for line in lines))

    def land_bytes(self, name: str, content: bytes) -> Path:
        file = self.landing / name
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".{file.name}")
        aside.write_bytes(content)
        aside.rename(file)
        return file

    def run(self, spark: SparkSession) -> str:
        """Score what has landed; return what a person would see."""
        seen = StringIO()
        app.run(self.config, lambda: spark, Console(file=seen, width=200))
        return seen.getvalue()

    def table(self, name: str) -> pd.DataFrame:
        """Read a table with delta-rs, which shares no code with Spark."""
        return deltalake.DeltaTable(str(self.home / name)).to_pandas()

    @property
    def scored(self) -> pd.DataFrame:
        return self.table("scored_clicks").sort_values(["batch_id", "id"], ignore_index=True)

    @property
    def rejected(self) -> pd.DataFrame:
        return self.table("rejected_clicks").sort_values(["batch_id", "reason"], ignore_index=True)


@pytest.fixture
def shop(tmp_path: Path, registry_uri: str) -> Shop:
    return open_shop(tmp_path, registry_uri)


@pytest.fixture(scope="session")
def make_shop(registry_uri: str) -> Callable[[Path], Shop]:
    return lambda home: open_shop(home, registry_uri)


def open_shop(home: Path, registry_uri: str) -> Shop:
    (home / "landing").mkdir(parents=True)
    tree = {
        "source": {"kind": "folder", "path": str(home / "landing")},
        "click": {"schema": str(DATA / "click.ddl"), "id": "id", "time": "at", "visitor": "visitor"},
        "features": str(DATA / "features.sql"),
        "model": {"uri": f"models:/{MODEL}@champion", "registry": registry_uri},
        "output": {"scored": str(home / "scored_clicks"), "rejected": str(home / "rejected_clicks")},
        "checkpoint": str(home / "checkpoint"),
        "trigger": "available_now",
    }
    file = home / "run.yaml"
    file.write_text(yaml.safe_dump(tree))
    return Shop(home, file)


@pytest.fixture(scope="session")
def make_click() -> Callable[..., dict[str, Any]]:
    return click


@dataclass(frozen=True)
class Done:
    """What a job has left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def load_job() -> Callable[[str], ModuleType]:
    return job_module


def job_module(name: str) -> ModuleType:
    """Return a job as a module, new each time."""
    spec = importlib.util.spec_from_file_location(f"jobs.{name}", f"jobs/{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run_job(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a job, by name or as a module, with its arguments, in this process and with the session that is there."""

    def run(job: str | ModuleType, *arguments: str) -> Done:
        module = job_module(job) if isinstance(job, str) else job
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


@dataclass
class Watched:
    """A stream over the source of a shop that does a micro-batch when it is told to, and the watch over it."""

    watch: StreamWatch
    health: Health
    query: StreamingQuery
    turn: threading.Semaphore

    def batch(self, number: int) -> float:
        """Let a micro-batch pass, look at the stream then; return the time at which everything before is processed."""
        self.turn.release()
        self.wait_for(lambda: bool(self.query.lastProgress) and self.query.lastProgress["batchId"] == number)
        return self.look()

    def look(self) -> float:
        self.watch.look(self.query)
        oldest_s = self.health.oldest_s
        return math.nan if oldest_s is None else time.time() - oldest_s

    @staticmethod
    def wait_for(is_there: Callable[[], bool], patience_s: float = 60) -> None:
        deadline = time.monotonic() + patience_s
        while not is_there():
            assert time.monotonic() < deadline, "what the test waits for does not come"
            time.sleep(0.02)


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


@dataclass
class Demo(Shop):
    """The demo of the README in small: history, model, landed clicks, tables."""

    registry: str
    records: int = 0

    def train(self, spark: SparkSession) -> str:
        seen = StringIO()
        training.run(self.config, lambda: spark, Console(file=seen, width=200), once=True)
        return seen.getvalue()


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
