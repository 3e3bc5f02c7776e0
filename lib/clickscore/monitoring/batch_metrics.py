"""The row of ``stream_metrics`` for a micro-batch: what the job knows when it is done, and what Spark tells later."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from clickscore.monitoring.drift_watch import NOT_COUNTED
from clickscore.monitoring.progress import MICROSECONDS
from clickscore.monitoring.report import Report
from clickscore.storage.schemas import SCORE_QUANTILES

Ends = Callable[[Mapping[str, Any]], tuple[Mapping[Any, int], Mapping[Any, int]] | None]
"""Reads from Spark's progress of a source where a trigger ended, and where the source did; None if it does not say."""
_MILLISECONDS = 1_000
_RUNS = "addBatch"
"""Phase of Spark's that only a trigger with a micro-batch has."""


def row_of(
    done: Report, unknown: Mapping[str, int], cpu_s: float | None, drift: Mapping[str, Any] = NOT_COUNTED
) -> dict[str, Any]:  # fmt: skip
    """Return the row of a micro-batch, as ``storage.stream_metrics.as_frame`` takes it.

    Args:
        done: what it did; it has just been finished.
        unknown: fields that are unknown, with the number of sampled records that have them.
        cpu_s: CPU seconds that the job has used for it.
        drift: the columns about drift, from ``DriftWatch.add``.
    """
    finished_us = time.time_ns() // 1_000
    began_us = finished_us - round(done.seconds * MICROSECONDS)
    behind_s = None if done.arrived_us is None else (finished_us - done.arrived_us) / MICROSECONDS
    nothing: tuple[None, list[None]] = None, [None] * len(SCORE_QUANTILES)
    mean, quantiles = done.scores or nothing
    return {
        "batch_id": done.batch_id,
        "began_at": began_us,
        "finished_at": finished_us,
        "read": done.read,
        "scored": done.scored,
        "rejected": done.rejected,
        "duplicates": done.duplicates,
        "rejected_by_reason": dict(done.by_reason),
        "sources": done.sources,
        "phase_seconds": {"batch": done.seconds, **done.phases},
        "newest_event_at": done.newest_us,
        "seconds_behind": behind_s,
        "records_behind": None,
        "model_name": done.model_name,
        "model_version": done.model_version,
        "challenger_version": done.challenger_version,
        "score_mean": mean,
        **dict(zip(SCORE_QUANTILES, quantiles, strict=True)),
        "sampled": len(done.sampled),
        "unknown_fields": dict(unknown),
        "cpu_seconds": cpu_s,
        **drift,
    }


def with_progress(row: Mapping[str, Any], progress: Mapping[str, Any], ends: Ends) -> dict[str, Any]:
    """Return a row with what Spark's progress of its micro-batch says: durations of phases, and records behind.

    Args:
        row: from ``row_of``.
        progress: Spark's StreamingQueryProgress of that micro-batch, from its JSON.
        ends: of the kind of the source.
    """
    durations = {
        f"spark.{phase}": milliseconds / _MILLISECONDS for phase, milliseconds in progress["durationMs"].items()
    }
    [source] = progress["sources"]
    found = ends(source) if source.get("latestOffset") else None  # Spark does not know it of every trigger
    behind = None if found is None else sum(max(0, end - found[0].get(part, 0)) for part, end in found[1].items())
    return {**row, "phase_seconds": {**row["phase_seconds"], **durations}, "records_behind": behind}


def has_batch(progress: Mapping[str, Any]) -> bool:
    """Tell whether a progress is that of a micro-batch, and not of a trigger that found nothing new."""
    return _RUNS in progress["durationMs"]
