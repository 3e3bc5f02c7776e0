"""What came out of `make bench`: single runs become medians, spreads and ratios."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import psutil
from benchmarks.throughput.entrants import PRODUCT
from benchmarks.throughput.steady import Steady

STACK = ("pyspark", "delta-spark", "mlflow", "lightgbm", "pyarrow", "pandas", "numpy", "msgspec", "duckdb", "deltalake",
         "lleaves", "confluent-kafka", "orjson")  # fmt: skip
MIB, GIB = 1024**2, 1024**3


@dataclass(frozen=True)
class Run:
    """One run of an arm.

    Attributes:
        round: number of the round, from 1.
        cpu_s_per_million: CPU-seconds of the process tree per million records.
        clicks_per_s: records per second.
        cpu_s: CPU-seconds.
        seconds: seconds.
        peak_memory_mib: most memory of the process tree that was seen.
        idle_cpu_s: what the tree took since its last run, while others had their turn.
        broker_cpu_s: what the broker took meanwhile, for arms that read from Kafka.
        others_cores: cores that processes outside of the benchmark have used meanwhile.
        steady: what the micro-batches behind the first one cost, for arms that write a table.
    """

    round: int
    cpu_s_per_million: float
    clicks_per_s: float
    cpu_s: float
    seconds: float
    peak_memory_mib: float
    idle_cpu_s: float
    broker_cpu_s: float | None
    others_cores: float
    steady: Steady | None

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in results.json."""
        return asdict(self) | {"steady": self.steady and self.steady._asdict()}


def summary(runs: Sequence[Run]) -> dict[str, Any]:
    """Return the medians and spreads of an arm, and all its runs."""
    cpu, rate = [run.cpu_s_per_million for run in runs], [run.clicks_per_s for run in runs]
    steady = [run.steady for run in runs if run.steady]
    broker = [run.broker_cpu_s * run.cpu_s_per_million / run.cpu_s for run in runs if run.broker_cpu_s is not None]
    return {
        "cpu_s_per_million": statistics.median(cpu),
        "cpu_s_per_million_spread": [min(cpu), max(cpu)],
        "clicks_per_s": statistics.median(rate),
        "clicks_per_s_spread": [min(rate), max(rate)],
        "steady_cpu_s_per_million": _median([each.cpu_s_per_million for each in steady]),
        "steady_clicks_per_s": _median([each.clicks_per_s for each in steady]),
        "broker_cpu_s_per_million": _median(broker),
        "peak_memory_mib": max(run.peak_memory_mib for run in runs),
        "runs": [run.as_json() for run in runs],
    }


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def ratios(runs: dict[str, list[Run]]) -> dict[str, dict[str, Any]]:
    """Return CPU of the product over CPU of each other arm: the median over the rounds, the spread, and without start.

    Returns:
        ``ratios``, ``ratio_spreads``, and ``steady_ratios`` for the micro-batches behind the first one.
    """
    if PRODUCT not in runs:
        return {"ratios": {}, "ratio_spreads": {}, "steady_ratios": {}}
    whole, steady = dict[str, list[float]](), dict[str, list[float]]()
    for name, found in runs.items():
        if name == PRODUCT:
            continue
        pairs = list(zip(runs[PRODUCT], found, strict=True))
        whole[f"{PRODUCT}_to_{name}"] = [mine.cpu_s_per_million / other.cpu_s_per_million for mine, other in pairs]
        steady[f"{PRODUCT}_to_{name}"] = [
            mine.steady.cpu_s_per_million / other.steady.cpu_s_per_million
            for mine, other in pairs
            if mine.steady and other.steady
        ]
    return {
        "ratios": {name: statistics.median(found) for name, found in whole.items()},
        "ratio_spreads": {name: [min(found), max(found)] for name, found in whole.items()},
        "steady_ratios": {name: statistics.median(found) for name, found in steady.items() if found},
    }


def machine() -> dict[str, Any]:
    """Return the class of the machine, and the versions of what runs on it."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / GIB),
        "system": platform.system(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in STACK},
    }
