"""What does clickscore cost, against what people use instead of it, and against what is possible without Spark?

Each arm is a process that stays alive; they take turns on the same clicks, so that a noisy machine is noisy to all. CPU
time is that of an arm's whole process tree, the broker apart. Run it with `make bench` or `make bench-quick`; README.md
says what each arm is.
"""

import argparse
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from benchmarks.common.cpu import cpu_seconds
from benchmarks.common.neighbours import NOTABLE_CORES, Neighbours
from benchmarks.throughput.check import check
from benchmarks.throughput.entrants import ENTRANTS, SCORED
from benchmarks.throughput.load import FAULTS, Setting, prepared
from benchmarks.throughput.plot import draw
from benchmarks.throughput.process import ArmProcess
from benchmarks.throughput.report import as_markdown, as_table
from benchmarks.throughput.results import MIB, Run, machine, ratios, summary
from benchmarks.throughput.steady import commits, steady
from benchmarks.throughput.worker import CHECK, PRIME, RUN
from rich.console import Console

from shopsim.broker import Broker

HOME = Path("build/bench")
RESULTS, PLOT = HOME / "results.json", HOME / "bench.png"
CLICKS, QUICK_CLICKS = 1_000_000, 500_000
ROUNDS, QUICK_ROUNDS = 5, 3
WIDTH = 120
"""Characters of a line where there is no terminal to ask."""
WARM_UP, QUICK_WARM_UP = 2, 1
"""Rounds that do not count: the JVM compiles, the workers import."""


class Contest:
    """The arms, ready to take turns."""

    def __init__(self, processes: Iterable[ArmProcess], broker: Broker | None, records: int) -> None:
        """Begin with no runs."""
        self.processes, self._broker, self._records = list(processes), broker, records
        self._cpu_after: dict[str, float] = {}

    def turn(self, process: ArmProcess, number: int) -> Run:
        """Let an arm get warm, then run once in earnest."""
        idle_s = process.cpu.seconds() - self._cpu_after.get(process.name, process.cpu.seconds())
        process.ask(PRIME)
        broker, others = self._broker_cpu(process), Neighbours()
        with process.watched() as watch:
            answer = process.ask(RUN)
        cpu, others_cores = watch.samples[-1].cpu_s - watch.samples[0].cpu_s, others.cores()
        self._cpu_after[process.name] = watch.samples[-1].cpu_s
        broker_now = self._broker_cpu(process)
        return Run(
            round=number,
            cpu_s_per_million=cpu * 1e6 / answer["records"],
            clicks_per_s=answer["records"] / answer["seconds"],
            cpu_s=cpu,
            seconds=answer["seconds"],
            peak_memory_mib=max(sample.memory for sample in watch.samples) / MIB,
            idle_cpu_s=idle_s,
            broker_cpu_s=None if broker is None or broker_now is None else broker_now - broker,
            others_cores=others_cores,
            steady=steady(commits(process.out / SCORED), watch.samples),
        )

    def _broker_cpu(self, process: ArmProcess) -> float | None:
        if not ENTRANTS[process.name].needs_broker or not self._broker or not self._broker.process:
            return None
        return cpu_seconds(of=self._broker.process.pid)

    def check(self) -> dict[str, int | None]:
        """Make sure that all arms have done the same; return how many rows each has kept."""
        return check({process.name: process.ask(CHECK) for process in self.processes}, self._records)


@contextmanager
def started(names: Iterable[str], setting: Setting, home: Path) -> Iterator[list[ArmProcess]]:
    """Start the arms, one after the other; they end with the block."""
    file = home / "setting.json"
    setting.save(file)
    logs = HOME / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with ExitStack() as stack:
        processes = []
        for name in names:
            processes.append(ArmProcess(name, file, home / name, logs / f"{name}.log"))
            stack.callback(processes[-1].stop)
        yield processes


def compete(contest: Contest, warm_up: int, rounds: int, console: Console) -> tuple[dict[str, list[Run]], Any]:
    """Let the arms take turns; return the runs of each, and its rows after the warm-up."""
    runs: dict[str, list[Run]] = {process.name: [] for process in contest.processes}
    kept = None
    for number in range(1 - warm_up, rounds + 1):
        title = f"round {number}" if number > 0 else "warm-up"
        for process in contest.processes:
            run = contest.turn(process, number)
            console.print(f"{title:<8}  {process.name:<20}  {run.cpu_s_per_million:6.2f} CPU-s per million  "
                          f"{run.clicks_per_s:9,.0f} clicks/s", highlight=False)  # fmt: skip
            if number > 0:
                runs[process.name].append(run)
        if kept is None:
            kept = contest.check()
    return runs, kept


def bench(names: list[str], clicks: int, warm_up: int, rounds: int, console: Console) -> dict[str, Any]:
    """Measure the arms; return the results."""
    began = monotonic()
    with tempfile.TemporaryDirectory(prefix="run-", dir=HOME) as folder:
        home = Path(folder)
        with_broker = any(ENTRANTS[name].needs_broker for name in names)
        with prepared(home, clicks, with_broker) as (setting, broker), started(names, setting, home) as processes:
            load = setting.full
            runs, kept = compete(Contest(processes, broker, load.records), warm_up, rounds, console)
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "arguments": {"arms": names, "clicks": clicks, "warm_up": warm_up, "rounds": rounds},
        "machine": machine(),
        "data": {"records": load.records, "bytes_per_record": load.bytes / load.records, "malformed": FAULTS.malformed,
                 "rows": kept},
        "arms": {name: summary(found) for name, found in runs.items()},
        **ratios(runs),
        "others_cores": median(run.others_cores for found in runs.values() for run in found),
        "seconds": monotonic() - began,
    }  # fmt: skip


def main() -> None:
    """Measure, print the table, and write results and plot; or print the table of the last time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the essential arms, fewer clicks and rounds")
    parser.add_argument("--arms", nargs="+", choices=ENTRANTS, help="only these")
    parser.add_argument("--clicks", type=int, help=f"default: {CLICKS:,}, or {QUICK_CLICKS:,}")
    parser.add_argument("--warm-up", type=int, help=f"rounds that do not count: {WARM_UP}, or {QUICK_WARM_UP}")
    parser.add_argument("--rounds", type=int, help=f"rounds that count: {ROUNDS}, or {QUICK_ROUNDS}")
    parser.add_argument("--markdown", action="store_true", help="print the table of the last results for RESULTS.md")
    a = parser.parse_args()
    if a.markdown:
        print(as_markdown(json.loads(RESULTS.read_text())))
        return
    names = a.arms or [name for name, entrant in ENTRANTS.items() if entrant.is_essential or not a.quick]
    # Also when somebody ends it, the arms and the broker end first.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    HOME.mkdir(parents=True, exist_ok=True)
    results = bench(
        names,
        a.clicks or (QUICK_CLICKS if a.quick else CLICKS),
        WARM_UP if a.warm_up is None and not a.quick else QUICK_WARM_UP if a.warm_up is None else a.warm_up,
        a.rounds or (QUICK_ROUNDS if a.quick else ROUNDS),
        console,
    )
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    draw(results, PLOT)
    console.print(as_table(results))
    if results["others_cores"] > NOTABLE_CORES:
        console.print(f"other processes used {results['others_cores']:.1f} cores meanwhile", highlight=False)
    console.print(f"{results['seconds']:.0f} s; all runs in {RESULTS}, plot in {PLOT}", highlight=False)


if __name__ == "__main__":
    main()
