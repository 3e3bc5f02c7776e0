"""The results of the growth benchmark: a file, tables on the console, a picture."""

import json
from pathlib import Path
from typing import Any

from benchmarks.common.charts import summary, table
from benchmarks.common.durations import Batch
from benchmarks.common.neighbours import NOTABLE_CORES
from benchmarks.growth.plot import draw
from rich.console import Console
from rich.table import Table

BATCH, YOUNG, FOLDER = "batch", "young_table_at_end", "folder"
_TITLES = {BATCH: "commit {}", YOUNG: "young table at the end, commit {}", FOLDER: "{} processed files"}


class Results:
    """What was measured so far, written to a file after each measurement."""

    def __init__(self, file: Path, console: Console) -> None:
        """Begin with nothing."""
        self._file, self._console = file, console
        self._points: dict[str, dict[str, Any]] = {}
        self._memory: dict[str, dict[str, dict[str, float]]] = {}

    def add(self, what: str, size: int, batches: list[Batch], others_cores: float) -> None:
        """Add the micro-batches of a size of the table or the folder, and the cores that others used meanwhile."""
        found = summary(batches) | {"others_cores": others_cores}
        self._points.setdefault(what, {})[str(size)] = found
        self._write()
        note = f", while others used {others_cores:.1f} cores" if others_cores > NOTABLE_CORES else ""
        self.say(f"{_TITLES[what].format(f'{size:,}')}: {found['s']:.3f} s{note}")

    def say(self, text: str) -> None:
        """Print what is going on."""
        self._console.print(text, highlight=False)

    def add_memory(self, what: str, size: int, found: dict[str, float]) -> None:
        """Add what the driver needs at a size."""
        self._memory.setdefault(what, {})[str(size)] = found
        self._write()

    def _write(self) -> None:
        tree: dict[str, Any] = {}
        for what, sizes in self._points.items():
            tree[f"{what}_s"] = {size: found["s"] for size, found in sizes.items()}
            first, *others = sizes
            for size in others:
                ratio = "ratio" if what == BATCH else f"{what}_ratio"
                tree[f"{ratio}_{size}_to_{first}"] = sizes[size]["s"] / sizes[first]["s"]
        if young := self._points.get(YOUNG):
            # The fairest one: both were measured at the end, in the same warm JVM.
            last, reference = list(self._points[BATCH].items())[-1], next(iter(young.values()))
            tree[f"ratio_{last[0]}_to_young"] = last[1]["s"] / reference["s"]
        tree |= {f"{what}_details": sizes for what, sizes in self._points.items()}
        tree |= {"memory" if what == BATCH else f"{what}_memory": found for what, found in self._memory.items()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps({"growth": tree}, indent=1) + "\n", encoding="utf-8")

    def show(self) -> None:
        """Print the tables and draw the picture."""
        if not self._points:
            return
        columns = {title.format(f"{int(size):,}"): found for what, title in _TITLES.items()
                   for size, found in self._points.get(what, {}).items()}  # fmt: skip
        self._console.print(table(columns))
        self._console.print(self._memory_table())
        picture = self._file.with_suffix(".png")
        draw(self._points, self._memory.get(BATCH, {}), picture)
        self._console.print(f"{self._file} and {picture}", highlight=False)

    def _memory_table(self) -> Table:
        grid = Table("at", "JVM, resident", "JVM, live heap", "Python, resident", title="memory of the driver, MB")
        for what, sizes in self._memory.items():
            for size, found in sizes.items():
                grid.add_row(_TITLES[what].format(f"{int(size):,}"), *[f"{value:,.0f}" for value in found.values()])
        return grid
