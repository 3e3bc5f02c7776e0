"""The model alone as arms: the features are there as one array, and one thread predicts."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from benchmarks.throughput.arms.duckdb import Parser, as_matrix
from benchmarks.throughput.entrants import Arm
from benchmarks.throughput.load import BATCH, Load, Setting, as_table, batches
from benchmarks.throughput.without_spark import Champion, Floats, fetch_champion

Predict = Callable[[Floats], Floats]


def with_booster(champion: Champion) -> Predict:
    """Return LightGBM's own function."""
    return lambda inputs: champion.booster.predict(inputs, num_threads=1)


def with_lleaves(champion: Champion) -> Predict:
    """Compile the trees to machine code; return the function."""
    lleaves: Any = importlib.import_module("lleaves")  # it has no types
    model = lleaves.Model(model_file=str(champion.file))
    model.compile()
    return lambda inputs: model.predict(inputs, n_jobs=1)


class ModelLimit:
    """Predicts for features that were computed beforehand."""

    def __init__(self, setting: Setting, home: Path, make: Callable[[Champion], Predict]) -> None:
        """Compute the features of all clicks."""
        parser = Parser()
        parts = [parser.parse(files) for files in batches(setting.full)]
        self._ids = pa.concat_tables([clicks for clicks, _ in parts])["event_id"]
        self._inputs = np.vstack([as_matrix(features) for _, features in parts])
        self._predict = make(fetch_champion(setting, home))
        self._scores: list[Floats] = []

    def run(self, load: Load, _: Path) -> None:
        """Predict for as many clicks as there are records, or for all."""
        self._scores = []
        for first in range(0, min(load.records, len(self._inputs)), BATCH):
            self._scores.append(self._predict(self._inputs[first : first + BATCH]))

    def scores(self, _: Path) -> pa.Table | None:
        """Return what the last run has predicted."""
        return as_table(self._ids, pa.array(np.concatenate(self._scores)))


ARMS: dict[str, Callable[[Setting, Path], Arm]] = {
    "model_limit": lambda setting, home: ModelLimit(setting, home, with_booster),
    "model_limit_compiled": lambda setting, home: ModelLimit(setting, home, with_lleaves),
}
