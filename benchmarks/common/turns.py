"""Arms that take turns in one process, so that a noisy machine is noisy to all, and what each of them costs."""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from benchmarks.common.cpu import cpu_seconds, spark_cpu
from rich.table import Table

WARM_UP = 2
"""Rounds that are not counted: the JVM compiles, the workers import."""

Result = TypeVar("Result")


class Cost(NamedTuple):
    """What a run of an arm has cost.

    Attributes:
        cpu: CPU-seconds per million clicks, of the process tree.
        jvm: those of Spark's JVM.
        python: those of Spark's Python workers; what is left of the whole is the driver's own Python.
        clicks_per_s: clicks per second.
    """

    cpu: float
    jvm: float
    python: float
    clicks_per_s: float


def arguments(about: str, clicks: int, rounds: int, arms: Sequence[str] = ()) -> argparse.Namespace:
    """Return the sizes of a benchmark, ``clicks`` and ``rounds``, and which ``arms`` run, as the command line says."""
    parser = argparse.ArgumentParser(
        description=about.partition("\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--clicks", type=int, default=clicks, help="clicks of a run")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds that count, after {WARM_UP} of warm-up")
    if arms:
        parser.add_argument("--arms", nargs="+", choices=arms, default=arms, help="arms that run")
    return parser.parse_args()


def in_turn(arms: Mapping[str, Callable[[], Result]], rounds: int) -> dict[str, list[Result]]:
    """Let the arms take turns; return what each gave in the rounds that count."""
    found: dict[str, list[Result]] = {name: [] for name in arms}
    for number in range(rounds + WARM_UP):
        for name, arm in arms.items():
            result = arm()
            if number >= WARM_UP:
                found[name].append(result)
    return found


def measured(run: Callable[[], None], clicks: int, without: int | None = None) -> Cost:
    """Run once.

    Args:
        run: scores the clicks with the Spark session of this process.
        clicks: how many.
        without: id of a process below this one that does not count, such as a broker.
    """
    cpu, (jvm, python), began = cpu_seconds(without), spark_cpu(without), time.monotonic()
    run()
    seconds, (jvm_after, python_after), millions = time.monotonic() - began, spark_cpu(without), clicks / 1e6
    return Cost(
        cpu=(cpu_seconds(without) - cpu) / millions,
        jvm=(jvm_after - jvm) / millions,
        python=(python_after - python) / millions,
        clicks_per_s=clicks / seconds,
    )


def costs(
    arms: Mapping[str, Callable[[], None]], clicks: int, rounds: int, without: int | None = None
) -> dict[str, list[Cost]]:  # fmt: skip
    """Let arms that score so many clicks take turns; return what each run has cost."""
    return in_turn({name: partial(measured, run, clicks, without) for name, run in arms.items()}, rounds)


def as_table(found: Mapping[str, Sequence[Cost]]) -> Table:
    """Return the medians of each arm; against the first one, the median of the ratios within a round."""
    headings = "arm", "all", "least - most", "JVM", "Python", "clicks/s", "to the first"
    grid = Table(*headings, title="CPU-seconds per million clicks")
    first = next(iter(found.values()))
    for name, runs in found.items():
        cpu, jvm, python, rate = (statistics.median(values) for values in zip(*runs, strict=True))
        spread = f"{min(run.cpu for run in runs):.1f} - {max(run.cpu for run in runs):.1f}"
        ratio = statistics.median(mine.cpu / other.cpu for mine, other in zip(runs, first, strict=True))
        grid.add_row(name, f"{cpu:.2f}", spread, f"{jvm:.1f}", f"{python:.1f}", f"{rate:,.0f}", f"{ratio:.3f}")
    return grid
