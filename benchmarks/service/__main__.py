"""How fast does the microservice answer, and how fast is `mlflow models serve` with the same model?

Single clicks at a set rate, lists as fast as they go, and a swap of the model under load; the load generator runs on
the same machine. MLflow's server gets features that were computed beforehand: they are not in its times. Run it with
`make bench-service`.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
from benchmarks.common.clicks import records
from benchmarks.service.load import as_fast_as_it_goes, at_a_rate
from rich.console import Console
from rich.table import Table

from clickscore.config.run import load
from clickscore.registry.registry import Registry
from clickscore.scoring.contract import contract_of
from clickscore.scoring.features import read_features
from clickscore.scoring.parsing import parser
from clickscore.training.algorithms import LEARNERS
from clickscore.training.registration import register

HOME = Path("build/bench/service")
REGISTRY = f"sqlite:///{HOME}/mlflow.db"
CLICKS, SEED = 20_000, 5
TREES, LEAVES = 100, 31
LIST = 500
CONNECTIONS = 4
WARM_UP_S = 3.0
START_S = 120.0
MODEL = "click_propensity"
MS = 1000.0

Bodies = list[bytes]


def main() -> None:
    """Measure, and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rate", type=float, default=200, help="single clicks/s")
    options.add_argument("--seconds", type=float, default=30, help="for each measurement")
    arguments = options.parse_args()
    raw, features = prepare()
    singles = [record.as_py() for record in raw[: 2 * LIST]]
    lists = [b"[" + b",".join(record.as_py() for record in raw[at : at + LIST]) + b"]" for at in range(0, CLICKS, LIST)]
    found = {"clickscore": measured_service(singles, lists, arguments.rate, arguments.seconds)}
    found["mlflow models serve"] = measured_mlflow(
        [frame(features[at : at + 1]) for at in range(2 * LIST)],
        [frame(features[at : at + LIST]) for at in range(0, CLICKS, LIST)], arguments.rate, arguments.seconds,
    )  # fmt: skip
    Console(width=140).print(table(found, arguments.rate))


def prepare() -> tuple[pa.BinaryArray, pd.DataFrame]:
    """Register two versions of a model of the size that the demo trains; return clicks and their features."""
    config = load(Path("conf/local.yaml"))
    raw = pa.concat_arrays(list(records(CLICKS, SEED)))
    contract = contract_of(config.click)
    clicks, _ = parser(contract.click).parse(raw)
    values = read_features(config.features, contract.click).compute(clicks).values[0]
    table = pa.Table.from_arrays(values.flatten(), names=values.type.names).to_pandas().astype(float)
    HOME.mkdir(parents=True, exist_ok=True)
    (HOME / "mlflow.db").unlink(missing_ok=True)
    for seed in (1, 2):
        label = np.random.default_rng(seed).random(CLICKS) < 0.1 + 0.1 * (table.iloc[:, 0].rank(pct=True) > 0.5)
        settings = {"objective": "binary", "num_leaves": LEAVES, "seed": seed, "verbosity": -1}
        booster = lightgbm.train(settings, lightgbm.Dataset(table, label), TREES)
        registry = Registry(REGISTRY, create=True)
        register(registry, booster, LEARNERS["lightgbm"], MODEL, "champion", table.head(5), {}, {}, {})
    return raw, table


def measured_service(singles: Bodies, lists: Bodies, rate: float, seconds: float) -> dict[str, float]:
    """Return what the service has shown, the swap included."""
    port = free_port()
    command = [sys.executable, "jobs/serve.py", "--config", "conf/local.yaml", "--set", f"model.registry={REGISTRY}",
               "--set", "model.poll=1 second", "--set", f"service.port={port}"]  # fmt: skip
    with running(command, f"http://127.0.0.1:{port}/readyz"):
        url = f"http://127.0.0.1:{port}/score"
        found = measured(url, singles, lists, rate, seconds)
        waits = asyncio.run(swapped(url, f"http://127.0.0.1:{port}/readyz", singles, rate, seconds / 2))
        return {**found, "swap_ms": max(waits) * MS}


async def swapped(url: str, ready: str, singles: Bodies, rate: float, seconds: float) -> list[float]:
    """Return the waits of single clicks while the alias moves, until the new version serves."""
    asking = asyncio.ensure_future(at_a_rate(url, singles, rate, seconds))
    await asyncio.sleep(1)
    await asyncio.to_thread(Registry(REGISTRY).set_alias, MODEL, "champion", "2")
    waits = await asking
    while await asyncio.to_thread(version, ready) != "2":
        waits += await at_a_rate(url, singles, rate, seconds)
    return waits


def version(ready: str) -> str:
    """Return the version at work."""
    with urllib.request.urlopen(ready) as answer:
        return str(json.load(answer)["model_version"])


def measured_mlflow(singles: Bodies, lists: Bodies, rate: float, seconds: float) -> dict[str, float]:
    """Return what MLflow's own server has shown for the same model."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "--model-uri", f"models:/{MODEL}/1",
               "--env-manager", "local", "--port", str(port)]  # fmt: skip
    with running(command, f"http://127.0.0.1:{port}/ping"):
        return measured(f"http://127.0.0.1:{port}/invocations", singles, lists, rate, seconds)


def measured(url: str, singles: Bodies, lists: Bodies, rate: float, seconds: float) -> dict[str, float]:
    """Return percentiles for single clicks, and clicks/s for lists."""
    asyncio.run(at_a_rate(url, singles, rate, WARM_UP_S))
    asyncio.run(as_fast_as_it_goes(url, lists, CONNECTIONS, WARM_UP_S))
    waits = asyncio.run(at_a_rate(url, singles, rate, seconds))
    cuts = statistics.quantiles(waits, n=100)
    requests = asyncio.run(as_fast_as_it_goes(url, lists, CONNECTIONS, seconds / 2))
    return {"p50_ms": cuts[49] * MS, "p99_ms": cuts[98] * MS, "max_ms": max(waits) * MS, "list_clicks": requests * LIST}


@contextmanager
def running(command: Sequence[str], ready: str) -> Iterator[None]:
    """Run a server while the block runs.

    Raises:
        RuntimeError: if it does not become ready.
    """
    with (HOME / "log").open("ab") as log:
        # MLflow starts the uvicorn that it finds on the PATH.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "MLFLOW_TRACKING_URI": REGISTRY, "PATH": path}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            deadline = time.monotonic() + START_S
            while not is_ready(ready):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[0]} does not get ready; see {HOME}/log")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            process.wait()


def is_ready(url: str) -> bool:
    """Tell whether a server answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def frame(features: pd.DataFrame) -> bytes:
    """Return the body of a request to MLflow's server."""
    split: dict[str, Any] = json.loads(features.to_json(orient="split", index=False))
    return json.dumps({"dataframe_split": split}).encode()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def table(found: dict[str, dict[str, float]], rate: float) -> Table:
    """Return a row for each server."""
    grid = Table(
        "server", f"p50 at {rate:g}/s", "p99", "slowest", "slowest during a swap", f"clicks/s in lists of {LIST}"
    )
    for name, one in found.items():
        swap = f"{one['swap_ms']:.1f} ms" if "swap_ms" in one else "-"
        grid.add_row(name, f"{one['p50_ms']:.1f} ms", f"{one['p99_ms']:.1f} ms", f"{one['max_ms']:.1f} ms", swap,
                     f"{one['list_clicks']:,.0f}")  # fmt: skip
    return grid


if __name__ == "__main__":
    main()
