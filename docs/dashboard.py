"""The Grafana dashboard of conf/grafana/clickscore.json, made of the metrics that the jobs have.

``python -m docs.dashboard`` writes it again; a test keeps it equal to what this makes.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path("conf/grafana/clickscore.json")
SOURCE = {"type": "prometheus", "uid": "${source}"}
COLUMNS, WIDTH, HEIGHT = 2, 12, 8
"""Two panels in a row of Grafana's 24 columns."""
SCHEMA = 39
"""The version of Grafana's dashboard schema, that of Grafana 10.4; newer ones convert it."""
PER_SECOND, SECONDS, SHARE, COUNT = "cps", "s", "percentunit", "short"


class Panel(NamedTuple):
    """A chart: title, unit, and what it draws, each expression with its legend."""

    title: str
    unit: str
    draws: dict[str, str]


def _quantile(share: float, histogram: str) -> str:
    return f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket[$__rate_interval])))"


STREAM = [
    Panel("Records per second", PER_SECOND, {
        "read": "rate(clickscore_records_read_total[$__rate_interval])",
        "scored": "rate(clickscore_clicks_scored_total[$__rate_interval])",
        "rejected": "rate(clickscore_records_rejected_total[$__rate_interval])",
        "duplicates": "rate(clickscore_duplicates_total[$__rate_interval])",
    }),
    Panel("Lag: how long the oldest unprocessed click has waited at most", SECONDS, {
        "{{instance}}": "clickscore_oldest_unprocessed_seconds",
    }),
    Panel("Duration of micro-batches", SECONDS, {
        "median": _quantile(0.5, "clickscore_batch_seconds"), "95 of 100": _quantile(0.95, "clickscore_batch_seconds"),
    }),
    Panel("Share of rejected records", SHARE, {
        "{{instance}}": "rate(clickscore_records_rejected_total[$__rate_interval])"
                        " / rate(clickscore_records_read_total[$__rate_interval])",
    }),
    Panel("Status, and failures in a row", COUNT, {
        "{{status}}": "clickscore_status == 1", "failures": "clickscore_consecutive_failures",
    }),
    Panel("Model version, and versions refused", COUNT, {
        "{{name}} {{version}} at {{instance}}": "clickscore_model_info", "refused": "clickscore_models_refused_total",
    }),
    Panel("Rejected records per second, by reason", PER_SECOND, {
        "{{reason}}": "rate(clickscore_records_rejected_by_reason_total[$__rate_interval])",
    }),
    Panel("Scores of the newest micro-batch", COUNT, {
        "mean": "clickscore_score_mean", "quantile {{quantile}}": "clickscore_score_quantile",
    }),
    Panel("Drift: PSI of the ten columns that have moved the most", COUNT, {
        "{{feature}}": "topk(10, clickscore_drift)",
    }),
]  # fmt: skip
SERVICE = [
    Panel("Requests per second, by status", PER_SECOND, {
        "{{status}}": "sum by (status) (rate(clickscore_requests_total[$__rate_interval]))",
    }),
    Panel("Duration of requests", SECONDS, {
        "median": _quantile(0.5, "clickscore_request_seconds"),
        "99 of 100": _quantile(0.99, "clickscore_request_seconds"),
    }),
    Panel("Records per second, by verdict", PER_SECOND, {
        "{{verdict}} {{reason}}": "sum by (verdict, reason) (rate(clickscore_records_total[$__rate_interval]))",
    }),
    Panel("Records that wait, and versions refused", COUNT, {
        "waiting": "clickscore_records_waiting", "refused": "clickscore_model_refused",
    }),
]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """Return the dashboard: a row of panels for the stream, and one for the service."""
    panels: list[dict[str, Any]] = []
    top = 0
    for name, row in (("Stream", STREAM), ("Service", SERVICE)):
        panels.append({"type": "row", "title": name, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": COLUMNS * WIDTH, "h": 1}})  # fmt: skip
        panels += [_chart(panel, number, top + 1) for number, panel in enumerate(row)]
        top += 1 + HEIGHT * -(-len(row) // COLUMNS)
    for number, panel in enumerate(panels):
        panel["id"] = number + 1
    source = {"name": "source", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "title": "clickscore", "uid": "clickscore", "schemaVersion": SCHEMA, "editable": True, "tags": ["clickscore"],
        "time": {"from": "now-6h", "to": "now"}, "refresh": "30s", "timezone": "utc", "panels": panels,
        "templating": {"list": [source]},
    }  # fmt: skip


def _chart(panel: Panel, number: int, top: int) -> dict[str, Any]:
    row, column = divmod(number, COLUMNS)
    return {
        "type": "timeseries", "title": panel.title, "datasource": SOURCE,
        "gridPos": {"x": column * WIDTH, "y": top + row * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + place), "expr": expression, "legendFormat": legend, "datasource": SOURCE}
            for place, (legend, expression) in enumerate(panel.draws.items())
        ],
    }  # fmt: skip


def text() -> str:
    """Return the content of the file."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
