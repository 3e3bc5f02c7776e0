"""Run the fault suite: what the real job survives, as a table.

Each scenario is a site with a source, a registry and tables of its own; its faults come in random order, again and
again, and after each of them every record that was sent must be in exactly one row, by a reader that is not the job.
"""

import argparse
import random
import shutil
import statistics
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.chaos.job import UnsurvivedError
from tests.chaos.scenarios import QUICK, SCENARIOS, Scenario
from tests.chaos.witness import Account

WIDTH = 140


@dataclass
class Tally:
    """What became of a fault, over all its trials."""

    tried: int = 0
    survived: int = 0
    seconds: list[float] = field(default_factory=list)


@dataclass
class Outcome:
    """What became of a scenario."""

    scenario: str
    faults: dict[str, Tally]
    account: Account = field(default_factory=lambda: Account(0, 0, 0, 0, 0))
    problems: list[str] = field(default_factory=list)


def run(scenario: Scenario, times: int, only: str, seed: int, home: Path, console: Console) -> Outcome:
    """Try the faults of a scenario; one that is not survived ends it, as the site may be beyond repair."""
    names = [name for name in scenario.faults if only in f"{scenario.name}: {name}"]
    outcome = Outcome(scenario.name, {name: Tally() for name in names})
    rng = random.Random(f"{seed} {scenario.name}")
    order = [name for name in names for _ in range(times)]
    rng.shuffle(order)
    name = "opening the site"
    try:
        with scenario.open(home, rng) as site:
            for name in order:
                tally = outcome.faults[name]
                site.running()
                tally.tried += 1
                moment = scenario.faults[name](site)
                outcome.account = site.settle()
                tally.survived += 1
                tally.seconds.append(time.monotonic() - moment)
                console.print(f"  survived after {tally.seconds[-1]:5.1f} s: {name}", highlight=False)
            name = "the comparison with an undisturbed run"
            site.finish()
            outcome.account = site.account()
    except Exception as error:  # whatever it is, the other scenarios go on, and the report tells
        what = str(error) if isinstance(error, UnsurvivedError) else traceback.format_exc()
        outcome.problems.append(f"{scenario.name}: {name}: {what}")
        console.print(f"  NOT survived: {outcome.problems[-1]}", highlight=False, markup=False)
    return outcome


def report(outcomes: list[Outcome]) -> Iterator[Table]:
    """Return the tables for a person."""
    faults = Table("fault", "survived / tried", "seconds to recover: median", "worst", title="faults")
    for outcome in outcomes:
        for name, tally in outcome.faults.items():
            times = [f"{statistics.median(tally.seconds):.1f}", f"{max(tally.seconds):.1f}"] if tally.seconds else []
            faults.add_row(name, f"{tally.survived} / {tally.tried}", *times)
        faults.add_section()
    yield faults
    records = Table("scenario", "records in", "scored", "rejected", "duplicates", "lost", title="records")
    for outcome in outcomes:
        a = outcome.account
        records.add_row(outcome.scenario, *[f"{n:,}" for n in (a.sent, a.scored, a.rejected, a.duplicates, a.lost)])
    yield records


def main() -> int:
    """Run the suite; 0 everything was survived, 1 something was not, 2 something cannot be tried here."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5, help="how often each fault is tried")
    parser.add_argument("--seed", type=int, default=1, help="decides their order and their moments")
    parser.add_argument("--only", default="", metavar="TEXT", help="scenarios and faults with this in their name")
    parser.add_argument("--without", action="append", default=[], metavar="SCENARIO", help="leave a scenario out")
    parser.add_argument("--quick", action="store_true", help="a few faults, once each")
    parser.add_argument("--at-once", type=int, default=2, help="how many scenarios run side by side")
    parser.add_argument("--home", type=Path, default=Path("build/chaos"), help="where they leave what they made")
    a = parser.parse_args()
    console = Console(width=WIDTH)
    chosen = [s for s in (QUICK if a.quick else SCENARIOS) if s.name not in a.without]
    chosen = [s for s in chosen if any(a.only in f"{s.name}: {name}" for name in s.faults)]
    if obstacles := [f"{s.name}: {why}; leave it out with --without {s.name}" for s in chosen if (why := s.obstacle())]:
        print(*obstacles, sep="\n", file=sys.stderr)
        return 2
    shutil.rmtree(a.home, ignore_errors=True)
    began = time.monotonic()
    with ThreadPoolExecutor(a.at_once) as pool:
        running = [
            pool.submit(run, s, 1 if a.quick else a.times, a.only, a.seed, (a.home / s.name).resolve(), console)
            for s in chosen
        ]
        outcomes = [each.result() for each in running]
    for table in report(outcomes):
        console.print(table)
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    tallies = [tally for outcome in outcomes for tally in outcome.faults.values()]
    survived, tried = sum(t.survived for t in tallies), sum(t.tried for t in tallies)
    seconds = [second for tally in tallies for second in tally.seconds]
    lost, twice = (sum(getattr(o.account, what) for o in outcomes) for what in ("lost", "duplicates"))
    console.print(
        f"\n{survived} of {tried} faults survived, {lost} records lost, {twice} rows too many; recovery "
        f"{statistics.median(seconds or [0]):.1f} s in the median, {max(seconds, default=0):.1f} s at worst; seed "
        f"{a.seed}, {time.monotonic() - began:.0f} s in all",
        highlight=False,
    )
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems or lost or twice or survived < tried else 0


if __name__ == "__main__":
    sys.exit(main())
