"""The results of the latency benchmark: a file, tables on the console, a picture."""

import json
from pathlib import Path
from typing import Any

from benchmarks.common.charts import summary, table
from benchmarks.common.durations import Batch
from benchmarks.common.neighbours import NOTABLE_CORES
from benchmarks.latency.plot import draw
from benchmarks.latency.run import Measured
from rich.console import Console
from rich.table import Table


class Results:
    """What was measured so far, written to a file after each measurement."""

    def __init__(self, file: Path, keep: bool) -> None:
        """Begin with nothing, or with what the file holds."""
        self._file = file
        self._tree: dict[str, Any] = {"latency": {}, "fixed_cost": {}}
        if keep and file.exists():
            self._tree |= json.loads(file.read_text(encoding="utf-8"))

    def add_latency(self, source: str, rate: int, system: str, measured: Measured) -> None:
        """Add a measurement of latency."""
        self._put("latency", source, str(rate), system, measured.figures())

    def add_fixed_cost(self, source: str, system: str, batches: list[Batch]) -> None:
        """Add small micro-batches."""
        self._put("fixed_cost", source, system, summary(batches))

    def _put(self, *keys_and_value: Any) -> None:
        *keys, last, value = keys_and_value
        branch = self._tree
        for key in keys:
            branch = branch.setdefault(key, {})
        branch[last] = value
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(self._tree, indent=1) + "\n", encoding="utf-8")

    def show(self, console: Console) -> None:
        """Print the tables and draw the picture."""
        if self._tree["latency"]:
            console.print(_latency(self._tree["latency"]))
        if self._tree["fixed_cost"]:
            found = {f"{source}, {name}": one for source, systems in self._tree["fixed_cost"].items()
                     for name, one in systems.items()}  # fmt: skip
            console.print(table(found))
        if self._tree["latency"] or self._tree["fixed_cost"]:
            picture = self._file.with_suffix(".png")
            draw(self._tree["latency"], self._tree["fixed_cost"], picture)
            console.print(f"{self._file} and {picture}", highlight=False)


def _latency(tree: dict[str, Any]) -> Table:
    grid = Table(
        "source", "clicks/s", "system", "p50 s", "p95 s", "p99 s", "commit every", "slow commits", "start s", "",
        title="click created to click visible",
    )  # fmt: skip
    for source, rates in tree.items():
        for rate, systems in rates.items():
            for system, found in systems.items():
                grid.add_row(
                    source, f"{int(rate):,}", system, *[f"{found[f'{key}_s']:.2f}" for key in ("p50", "p95", "p99")],
                    f"{found['commit_interval_s']:.2f} s", f"{found['slow_commit_share']:.1%}",
                    f"{found['start_s']:.1f}", _notes(found),
                )  # fmt: skip
    return grid


def _notes(found: dict[str, Any]) -> str:
    notes = [] if found["keeps_up"] else ["cannot keep up"]
    if found["unseen"]:
        notes.append(f"{found['unseen']:,} never seen")
    if found["others_cores"] > NOTABLE_CORES:
        notes.append(f"others used {found['others_cores']:.1f} cores")
    return ", ".join(notes)
