"""Small tables of a run over the shop of tests/data, written with delta-rs as a stream would write them."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from clickscore.config.output import Output

START = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
UTC = pa.timestamp("us", "UTC")
LINEAGE = [("source", pa.string()), ("source_offset", pa.int64())]


CHALLENGER = [("challenger_score", pa.float64()), ("challenger_version", pa.string())]


def click_schema(click: pa.Schema) -> pa.Schema:
    """Return the columns of ``scored_clicks``."""
    model = [("score", pa.float64()), ("model_name", pa.string()), ("model_version", pa.string()), ("scored_at", UTC)]
    return pa.schema([*[(field.name, field.type) for field in click], *model, *LINEAGE, ("batch_id", pa.int64())])


REJECTED = pa.schema(
    [("raw", pa.string()), ("reason", pa.string()), ("detail", pa.string()), *LINEAGE, ("received_at", UTC),
     ("batch_id", pa.int64())]
)  # fmt: skip
TIMELINE = pa.schema(
    [("from_batch", pa.int64()), ("model_name", pa.string()), ("model_version", pa.string()), ("run_id", pa.string()),
     ("digest", pa.string()), ("pinned_at", UTC), ("role", pa.string()), ("event", pa.string()),
     ("reason", pa.string())]
)  # fmt: skip
GAPS = pa.schema(
    [("source", pa.string()), ("first_offset", pa.int64()), ("last_offset", pa.int64()), ("reason", pa.string()),
     ("detail", pa.string()), ("detected_at", UTC), ("batch_id", pa.int64())]
)  # fmt: skip
METRICS = pa.schema(
    [("batch_id", pa.int64()), ("finished_at", UTC), ("read", pa.int64()), ("scored", pa.int64()),
     ("rejected", pa.int64()), ("duplicates", pa.int64()), ("phase_seconds", pa.map_(pa.string(), pa.float64())),
     ("rejected_by_reason", pa.map_(pa.string(), pa.int64())), ("seconds_behind", pa.float64()),
     ("model_name", pa.string()), ("model_version", pa.string()), ("cpu_seconds", pa.float64())]
)  # fmt: skip

COUNTED = pa.schema(
    [("score_histogram", pa.list_(pa.int64())), ("feature_histograms", pa.map_(pa.string(), pa.list_(pa.int64()))),
     ("baseline", pa.string()), ("drifted", pa.list_(pa.string()))]
)  # fmt: skip
"""Columns that `stream_metrics` has since versions have a baseline."""

OUTCOMES = pa.schema(
    [("unit_id", pa.string()), ("state", pa.string()), ("success", pa.bool_()), ("clicks", pa.int64()), ("until", UTC)]
)


class Run:
    """The folder of a run's tables."""

    def __init__(self, folder: Path, click: pa.Schema, is_challenged: bool = False) -> None:
        self.folder, self._scored = folder, click_schema(click)
        if is_challenged:
            self._scored = pa.schema([*self._scored, *(pa.field(*column) for column in CHALLENGER)])

    @property
    def output(self) -> Output:
        return Output(scored=str(self.folder / "scored_clicks"), rejected=str(self.folder / "rejected_clicks"))

    def score(
        self, batch: int, clicks: Sequence[dict[str, Any]], version: str = "1", minutes: float | None = None
    ) -> None:
        """Append the clicks of a micro-batch, by default one micro-batch a minute; a click names what is not usual."""
        at = START + timedelta(minutes=batch if minutes is None else minutes)
        usual = {
            "id": "c", "at": at - timedelta(seconds=30), "visitor": "v", "score": 0.5, "model_name": "shop",
            "model_version": version, "scored_at": at, "batch_id": batch,
        }  # fmt: skip
        self._append("scored_clicks", [usual | click for click in clicks], self._scored, batch, at)

    def reject(self, batch: int, records: Sequence[dict[str, Any]]) -> None:
        """Append the rejected records of a micro-batch."""
        at = START + timedelta(minutes=batch)
        usual = {"raw": "{", "reason": "malformed_json", "detail": "cut", "received_at": at, "batch_id": batch}
        self._append("rejected_clicks", [usual | record for record in records], REJECTED, batch, at)

    def decide(self, *decisions: dict[str, Any]) -> None:
        """Append to ``model_timeline``."""
        usual = {"from_batch": 0, "model_name": "shop", "model_version": "1", "pinned_at": START, "role": "champion",
                 "event": "scores"}  # fmt: skip
        self.append("model_timeline", [usual | decision for decision in decisions], TIMELINE)

    def lose(self, *gaps: dict[str, Any]) -> None:
        """Append to ``source_gaps``."""
        usual = {"source": "clicks-0", "reason": "aged_out", "detected_at": START, "batch_id": 0}
        self.append("source_gaps", [usual | gap for gap in gaps], GAPS)

    def measure(self, *batches: dict[str, Any], more: pa.Schema | None = None) -> None:
        """Append to ``stream_metrics``, by default one micro-batch a minute of 10 records, and no ``more`` columns."""
        usual = {
            "read": 10, "scored": 9, "rejected": 1, "phase_seconds": [("batch", 2.0)], "model_name": "shop",
            "rejected_by_reason": [("malformed_json", 1)], "seconds_behind": 3.0, "model_version": "1",
        }  # fmt: skip
        rows = [
            usual | {"batch_id": number, "finished_at": START + timedelta(minutes=number)} | batch
            for number, batch in enumerate(batches)
        ]
        self.append("stream_metrics", rows, pa.schema([*METRICS, *(more or ())]))

    def follow(self, *units: dict[str, Any]) -> None:
        """Append to ``outcomes``."""
        usual = {"unit_id": "v", "state": "closed", "success": False, "clicks": 1, "until": START + timedelta(days=9)}
        self.append("outcomes", [usual | unit for unit in units], OUTCOMES)

    def append(self, name: str, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
        """Append rows to a table."""
        write_deltalake(str(self.folder / name), pa.Table.from_pylist(list(rows), schema), mode="append")

    def _append(self, name: str, rows: list[dict[str, Any]], schema: pa.Schema, batch: int, at: datetime) -> None:
        self.append(name, rows, schema)
        # What Spark writes into the commit of a micro-batch, here two seconds after it has begun.
        said = {
            "timestamp": int((at + timedelta(seconds=2)).timestamp() * 1000), "operation": "WRITE",
            "operationMetrics": {"numOutputRows": str(len(rows))},
            "userMetadata": json.dumps({"stream": "s", "batch": batch}),
        }  # fmt: skip
        log = max((self.folder / name / "_delta_log").glob("*.json"))
        actions = [json.loads(line) for line in log.read_text().splitlines()]
        told = [{"commitInfo": said} if "commitInfo" in action else action for action in actions]
        log.write_text("".join(json.dumps(action) + "\n" for action in told))
