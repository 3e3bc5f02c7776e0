"""Drift becomes a line, a metric and columns of the table, and is told once."""

from collections.abc import Mapping
from typing import Any

import pytest
from pyspark.errors import PySparkException

from clickscore.config.drift import Drift
from clickscore.drift.baseline import Baseline
from clickscore.drift.window import DriftWindow
from clickscore.monitoring import drift_watch
from clickscore.monitoring.drift_watch import NOT_COUNTED, DriftWatch
from clickscore.monitoring.report import Report
from clickscore.scoring.histograms import Bins, ClickBins
from clickscore.storage.stream_metrics import STREAM_METRICS

BASELINE = Baseline(ClickBins(Bins((0.5,)), {"price": Bins((10.0,))}), (500, 500, 0, 500, 500, 0))
MOVED = (50, 50, 0, 95, 5, 0)


class Seen:
    """A watch, and what it has told and noted."""

    def __init__(self, minimum: int = 100) -> None:
        self.told: list[str] = []
        self.noted: list[Mapping[str, float]] = []
        self.saved: list[str] = []
        window = DriftWindow(Drift(minimum=minimum))
        self.watch = DriftWatch(window, self.told.append, self.noted.append, self.saved.append)

    def add(self, version: str = "1", baseline: Baseline | None = BASELINE, **found: Any) -> Mapping[str, Any]:
        return self.watch.add(Report(7, 100, 100, 0, 1, 0.7, None, "shop", version, baseline=baseline, **found))


def test_first_row_of_a_version_has_its_baseline_and_each_row_its_histograms() -> None:
    seen = Seen()
    rows = [seen.add(binned=MOVED), seen.add(binned=MOVED)]
    assert [row["baseline"] for row in rows] == [BASELINE.to_json(), None]
    assert [row["score_histogram"] for row in rows] == [[50, 50, 0]] * 2
    assert [row["feature_histograms"] for row in rows] == [{"price": [95, 5, 0]}] * 2
    assert [row["drifted"] for row in rows] == [["price"]] * 2
    assert set(rows[0]) == set(NOT_COUNTED) <= set(STREAM_METRICS.names)


def test_drift_is_a_line_once_and_a_metric_all_the_time() -> None:
    seen = Seen()
    seen.add(binned=MOVED)
    seen.add(binned=MOVED)
    [line] = seen.told
    assert line.startswith("drift: 100 clicks differ from the baseline of shop version 1: price (PSI ")
    assert [list(noted) for noted in seen.noted] == [["score", "price"]] * 2
    assert seen.noted[0]["price"] > 0.2 > seen.noted[0]["score"]


def test_nothing_is_known_of_few_clicks() -> None:
    seen = Seen(minimum=101)
    row = seen.add(binned=MOVED)
    assert (row["drifted"], row["score_histogram"]) == (None, [50, 50, 0])
    assert (seen.told, seen.noted) == ([], [{}])


def test_micro_batch_without_a_scored_click_leaves_what_is_known() -> None:
    seen = Seen()
    assert seen.add() == NOT_COUNTED
    assert seen.noted == []


def test_nothing_is_known_of_a_version_without_a_baseline() -> None:
    seen = Seen()
    seen.add(binned=MOVED)
    assert seen.add("2", baseline=None) == NOT_COUNTED
    assert seen.noted[-1] == {}


def test_window_is_kept_at_the_end_and_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Seen()
    seen.add(binned=MOVED)
    assert seen.saved == []
    monkeypatch.setattr(drift_watch, "SAVE_EVERY_S", 0)
    seen.add(binned=MOVED)
    seen.watch.close()
    assert len(seen.saved) == 2
    again = DriftWindow.read(Drift(minimum=100), seen.saved[-1])
    assert again.to_json() == seen.watch.window.to_json() == seen.saved[-1]


def test_window_that_cannot_be_kept_ends_no_stream() -> None:
    def fail(_: str) -> None:
        raise PySparkException("no space left")

    DriftWatch(DriftWindow(Drift()), print, print, fail).close()
