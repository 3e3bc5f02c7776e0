"""What the running stream does about drift: a line on the console, a metric, and columns of ``stream_metrics``.

The checkpoint keeps the window, so that a run goes on where the one before it stopped. What a run that is killed has
counted since it last kept it, a minute at most, the window lacks; the rows of ``stream_metrics`` lack nothing.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from clickscore.config.drift import Drift
from clickscore.drift.baseline import Baseline
from clickscore.drift.window import DriftWindow
from clickscore.monitoring.report import Report
from clickscore.spark_errors import SPARK_ERRORS
from clickscore.storage.files import read_text, write_text

FILE = "clickscore-drift"
"""File of the checkpoint with the window."""
SAVE_EVERY_S = 60
NOT_COUNTED: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(("score_histogram", "feature_histograms", "baseline", "drifted"))
)
"""The columns of a micro-batch whose clicks are not counted in bins."""


@dataclass
class DriftWatch:
    """Looks at each finished micro-batch.

    Attributes:
        window: the clicks of the last hours.
        tell: prints a line on the console.
        note: takes the PSI of the score and of each feature, by name; nothing while it is not known.
        save: keeps the window for the next run.
    """

    window: DriftWindow
    tell: Callable[[str], None]
    note: Callable[[Mapping[str, float]], None]
    save: Callable[[str], None]
    _saved_s: float = field(default_factory=time.monotonic)
    _written: Baseline | None = None

    def add(self, done: Report) -> Mapping[str, Any]:
        """Take a finished micro-batch into account; return its columns of ``stream_metrics`` about drift."""
        if done.baseline is None:
            self.note({})
        if done.baseline is None or done.binned is None:
            return NOT_COUNTED
        found = self.window.add((done.model_name, done.model_version), done.baseline, done.binned, time.time())
        self.note({name: each.psi for name, each in found.movements.items()} if found else {})
        if found and found.news:
            self.tell(found.news)
        if time.monotonic() - self._saved_s > SAVE_EVERY_S:
            self.close()
        score, features = done.baseline.bins.split(np.array(done.binned))
        is_new, self._written = done.baseline != self._written, done.baseline
        return {
            "score_histogram": score.tolist(),
            "feature_histograms": {name: counts.tolist() for name, counts in features.items()},
            "baseline": done.baseline.to_json() if is_new else None,
            "drifted": list(found.drifted) if found else None,
        }

    def close(self) -> None:
        """Keep the window for the next run."""
        self._saved_s = time.monotonic()
        with suppress(*SPARK_ERRORS):  # without it, the next run begins to count anew, for which no stream should end
            self.save(self.window.to_json())


def read_window(spark: SparkSession, checkpoint: str, config: Drift) -> DriftWindow:
    """Return the window that the checkpoint keeps, or an empty one."""
    return DriftWindow.read(config, read_text(spark, f"{checkpoint}/{FILE}"))


def write_window(spark: SparkSession, checkpoint: str, text: str) -> None:
    """Write the window that the checkpoint keeps."""
    write_text(spark, f"{checkpoint}/{FILE}", text)
