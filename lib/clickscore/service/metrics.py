"""What ``/metrics`` of the microservice says: requests, records by verdict, durations, the model, what was refused."""

from collections import Counter as Tally
from collections.abc import Callable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS_S = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 5.0)


class Metrics:
    """The metrics of one service."""

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = registry = CollectorRegistry()
        self._requests = Counter("clickscore_requests", "Requests to /score.", ["status"], registry=registry)
        self._records = Counter("clickscore_records", "Records by verdict.", ["verdict", "reason"], registry=registry)
        self._seconds = Histogram(
            "clickscore_request_seconds", "Duration of answered requests to /score.", registry=registry,
            buckets=_BUCKETS_S,
        )  # fmt: skip
        self._model = Gauge("clickscore_model_info", "The version at work.", ["name", "version"], registry=registry)

    def watch(self, name: str, what: str, value: Callable[[], float]) -> None:
        """Add a gauge that is read when the metrics are."""
        Gauge(name, what, registry=self._registry).set_function(value)

    def answered(self, items: Sequence[dict[str, Any]], seconds: float) -> None:
        """Count a request that got outcomes."""
        self._requests.labels("200").inc()
        self._seconds.observe(seconds)
        for labels, count in Tally((item["verdict"], item["reason"] or "") for item in items).items():
            self._records.labels(*labels).inc(count)

    def refused(self, status: int) -> None:
        """Count a request that got none."""
        self._requests.labels(str(status)).inc()

    def exposition(self, model: tuple[str, str] | None) -> bytes:
        """Return the text for Prometheus.

        Args:
            model: name and version at work.
        """
        self._model.clear()
        if model:
            self._model.labels(*model).set(1)
        return generate_latest(self._registry)
