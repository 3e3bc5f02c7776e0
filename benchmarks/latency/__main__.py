"""How old is a click when somebody else can read its score, and what does a small micro-batch cost?

A producer creates clicks on schedule, whatever happens downstream, and sends them to Kafka or into a landing folder.
The product, as `jobs/score_stream.py`, and the recipe that users write today take turns on the same clicks, each in a
process of its own. A third process reads the log of the table with delta-rs. The latency of a click is the time from
its creation, which is its event time, to the moment at which that reader has loaded the version with its row.
Run it with `make bench-latency`; `LATENCY="--rates 1000 --seconds 60"` makes it shorter.
"""

import argparse
import itertools
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks.common.durations import read_durations
from benchmarks.common.model import register_model
from benchmarks.latency.processes import Target
from benchmarks.latency.report import Results
from benchmarks.latency.run import measure
from benchmarks.latency.systems import SYSTEMS, System, UnderTestError
from rich.console import Console

from clickscore.console import make_console
from shopsim.broker import Broker
from shopsim.topics import make_topic

SOURCES = ("kafka", "folder")
RATES = (1_000, 5_000, 20_000)
SECONDS = 300.0
WARM_UP_S = 60.0
FIXED_COST_RATE = 1_000
"""So few clicks that a micro-batch costs the same without them."""
FIXED_COST_S = 60.0
FILE_S = 0.1
"""Time between two landing files; clicks wait for half of it before they can be seen at all."""
PORT = 9392
BENCH = Path("build/bench")
SIGNALLED = 128
"""Exit status of a program that a signal ends: this and the number of the signal."""


class Bench:
    """Runs the measurements, one after the other."""

    def __init__(self, home: Path, broker: Broker | None, registry: str, file_s: float) -> None:
        """Begin with none.

        Args:
            home: folder for everything that a measurement writes.
            broker: of the topics.
            registry: where the model is registered.
            file_s: seconds between two landing files.
        """
        self._home, self._broker, self._registry, self._file_s = home, broker, registry, file_s
        self._numbers = itertools.count()

    def system(self, name: str, source: str, has_durations: bool = False) -> System:
        """Return a system with a new source of its own."""
        home = self._home / f"run-{next(self._numbers)}"
        if source == "folder":
            landing = home.with_suffix(".landing")
            landing.mkdir()
            target = Target(folder=landing, file_s=self._file_s)
        else:
            assert self._broker
            make_topic(self._broker.servers, home.name)
            target = Target(servers=self._broker.servers, topic=home.name)
        return System(name, home, target, self._registry, has_durations)


def run(a: argparse.Namespace, bench: Bench, results: Results, console: Console) -> None:
    """Measure what the arguments ask for; the results are written after each measurement."""
    for source, rate, name in itertools.product(a.sources, a.rates, a.systems):
        console.print(f"{source}, {rate:,} clicks/s, {name}")
        results.add_latency(source, rate, name, measure(bench.system(name, source), rate, a.warm_up, a.seconds))
    for source, name in itertools.product(a.sources if a.fixed_cost else (), a.systems):
        console.print(f"{source}, fixed cost of a micro-batch, {name}")
        system = bench.system(name, source, has_durations=True)
        measured = measure(system, FIXED_COST_RATE, a.warm_up, a.fixed_cost)
        # The listener does not know when the time to measure has begun; but these are the last micro-batches.
        results.add_fixed_cost(source, name, read_durations(system.durations)[-measured.commits.count :])


def arguments() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency",
        description=__doc__.partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--sources", nargs="*", choices=SOURCES, default=SOURCES, help="where the clicks come from")
    parser.add_argument("--rates", nargs="*", type=int, default=RATES, help="clicks per second")
    parser.add_argument("--systems", nargs="*", choices=SYSTEMS, default=SYSTEMS, help="what is measured")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time to measure")
    parser.add_argument("--warm-up", type=float, default=WARM_UP_S, help="seconds after the first commit before that")
    parser.add_argument("--fixed-cost", type=float, default=FIXED_COST_S, help="seconds for the fixed cost; 0: without")
    parser.add_argument("--file-seconds", type=float, default=FILE_S, help="seconds between two landing files")
    parser.add_argument("--keep", action="store_true", help="keep the results of earlier runs for what is not measured")
    return parser.parse_args()


def main() -> int:
    """Measure and report; 1 if a system fails."""
    a, console = arguments(), make_console()
    # Leave through every `finally`, so that no process stays behind.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: sys.exit(SIGNALLED + received))
    results, registry = Results(BENCH / "latency.json", a.keep), register_model()
    with tempfile.TemporaryDirectory(prefix="bench-latency-") as folder:
        broker = Broker(Path(folder, "kafka"), PORT) if "kafka" in a.sources else None
        try:
            if broker:
                broker.start()
            run(a, Bench(Path(folder), broker, registry, a.file_seconds), results, console)
        except UnderTestError as error:
            console.print(str(error), markup=False, highlight=False)
            return 1
        finally:
            if broker:
                broker.kill()
            results.show(console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
