"""How long does a program wait for its first score from an exported folder, and how much memory does that take?

Each start is a process of its own, in which packages that the scorer does not need look as if they were not installed.
Run it with `make bench-embedded`.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.service.__main__ import REGISTRY, prepare
from rich.console import Console
from rich.table import Table

from clickscore.config.run import load
from clickscore.export.export import export

HOME = Path("build/bench/embedded")
STARTS = 9
SINGLES, MANY = 500, 20_000
PROGRAM = """
import sys, time
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[5].split():
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
def peak_mb():  # what resource.getrusage tells begins with the memory of the process that has started this one
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024
laps = [(time.perf_counter(), time.process_time())]
def lap():
    laps.append((time.perf_counter(), time.process_time()))
from clickscore import embedded
lap()
scorer = embedded.load(sys.argv[1], onnx=sys.argv[2] == "onnx")
lap()
with open(sys.argv[3], "rb") as file:
    records = file.read().splitlines()
assert scorer.score(records[0]).score is not None
lap()
memory = peak_mb()
singles = records[: int(sys.argv[4])]
for record in singles:
    scorer.score(record)
lap()
scorer.score_many(records)
lap()
import json
took = [(end[0] - begin[0], end[1] - begin[1]) for begin, end in zip(laps, laps[1:])]
print(json.dumps({
    "import_s": took[0][0], "load_s": took[1][0], "first_score_s": took[2][0], "in_all_s": laps[3][0] - laps[0][0],
    "in_all_cpu_s": laps[3][1] - laps[0][1], "memory_mb": memory, "memory_after_all_mb": peak_mb(),
    "single_cpu_ms": took[3][1] / len(singles) * 1_000, "many_cpu_us": took[4][1] / len(records) * 1_000_000,
}))
"""
UNNEEDED = "pyspark delta mlflow pandas sklearn matplotlib dask pydantic"


def main() -> int:
    """Measure both libraries in turns; print medians and extremes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=STARTS, help="processes of each library")
    starts = parser.parse_args().starts
    clicks, _ = prepare()
    shutil.rmtree(HOME, ignore_errors=True)
    config = load(Path("conf/local.yaml"), [f"model.registry={REGISTRY}"])
    export(config, HOME / "folder", None, Console())
    (HOME / "clicks.jsonl").write_bytes(b"\n".join(clicks[:MANY].cast("binary").to_pylist()))
    found: dict[str, list[dict[str, float]]] = {"lightgbm": [], "onnx": []}
    for _ in range(starts):
        for library, results in found.items():
            results.append(started(library))
    Console(width=140).print(table(found))
    return 0


def started(library: str) -> dict[str, float]:
    """Return what a program has measured about itself."""
    command = [sys.executable, "-c", PROGRAM, str(HOME / "folder"), library, str(HOME / "clicks.jsonl"), str(SINGLES),
               UNNEEDED]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def table(found: dict[str, list[dict[str, float]]]) -> Table:
    """Return the medians, with the least and the most in brackets."""
    shown = Table("", *found, title="an exported folder in a program of its own: medians (least - most)")
    for name in next(iter(found.values()))[0]:
        cells = []
        for results in found.values():
            values = [result[name] for result in results]
            cells.append(f"{statistics.median(values):.3g} ({min(values):.3g} - {max(values):.3g})")
        shown.add_row(name, *cells)
    return shown


if __name__ == "__main__":
    sys.exit(main())
