"""The health of a running job as Prometheus metrics."""

from collections.abc import Iterator
from itertools import accumulate
from math import nan

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from clickscore.monitoring.health import BATCH_SECONDS, STATUSES, Health, Pulse
from clickscore.storage.schemas import SCORE_QUANTILES


class HealthCollector(Collector):
    """Turns the state of one moment into metrics, so that the numbers of one answer fit together."""

    def __init__(self, health: Health) -> None:
        """Read from there, at each request."""
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this moment."""
        pulse = self._health.pulse()
        yield from _counters(pulse)
        yield from _gauges(pulse)
        yield from _scores(pulse)
        yield _batch_seconds(pulse)


def make_registry(health: Health) -> CollectorRegistry:
    """Return a registry with the metrics of this job alone."""
    registry = CollectorRegistry()
    registry.register(HealthCollector(health))
    return registry


def _counters(pulse: Pulse) -> Iterator[Metric]:
    for name, text, value in (
        ("records_read", "Records that were read from the source since the job began.", pulse.read),
        ("clicks_scored", "Clicks that were scored since the job began.", pulse.scored),
        ("records_rejected", "Records that were rejected since the job began.", pulse.rejected),
        ("duplicates", "Clicks that were not scored because their id was seen before.", pulse.duplicates),
        ("batches", "Micro-batches that were finished since the job began.", pulse.batches),
        ("retries", "Failures after which the stream was retried.", pulse.retries),
        ("models_refused", "Versions at the alias of a model that were refused since the job began.", pulse.refused),
    ):
        yield CounterMetricFamily(f"clickscore_{name}", text, value=value)
    reasons = CounterMetricFamily(
        "clickscore_records_rejected_by_reason", "Records that were rejected, by reason.", labels=["reason"]
    )
    for reason, count in sorted(pulse.by_reason.items()):
        reasons.add_metric([reason], count)
    yield reasons


def _gauges(pulse: Pulse) -> Iterator[Metric]:
    at = pulse.last_batch_at.timestamp() if pulse.last_batch_at else nan
    for name, text, value in (
        ("last_batch_id", "Number of the last finished micro-batch; NaN before there was one.", pulse.last_batch),
        (
            "last_batch_timestamp_seconds",
            "When the last micro-batch was finished, in seconds since 1970; NaN before there was one.",
            at,
        ),
        (
            "oldest_unprocessed_seconds",
            "Longest time that any unprocessed click can have been waiting; NaN if unknown.",
            pulse.oldest_s,
        ),
        (
            "consecutive_failures",
            "Failures since a micro-batch or a check of the source last succeeded.",
            pulse.failures,
        ),
    ):
        yield GaugeMetricFamily(f"clickscore_{name}", text, value=nan if value is None else value)
    status = GaugeMetricFamily(
        "clickscore_status", "1 for the status that the job is in, 0 for all others.", labels=["status"]
    )
    for each in STATUSES:
        status.add_metric([each], float(each == pulse.status))
    yield status
    model = GaugeMetricFamily(
        "clickscore_model_info", "1 for the champion, by name and version.", labels=["name", "version"]
    )
    if pulse.model:
        model.add_metric(pulse.model, 1)
    yield model


def _scores(pulse: Pulse) -> Iterator[Metric]:
    mean, quantiles = pulse.scores or (nan, ())
    yield GaugeMetricFamily(
        "clickscore_score_mean", "Mean score of the newest micro-batch with a scored click; NaN before.", value=mean
    )
    found = GaugeMetricFamily(
        "clickscore_score_quantile", "Quantiles of the scores of that micro-batch, approximate.", labels=["quantile"]
    )
    for share, score in zip(SCORE_QUANTILES.values(), quantiles, strict=False):
        found.add_metric([str(share)], score)
    yield found
    drift = GaugeMetricFamily(
        "clickscore_drift",
        "PSI of the score and of each feature against the baseline of the model version.",
        labels=["feature"],
    )
    for name, psi in pulse.drift.items():
        drift.add_metric([name], psi)
    yield drift


def _batch_seconds(pulse: Pulse) -> Metric:
    bounds = [*map(str, BATCH_SECONDS), "+Inf"]
    return HistogramMetricFamily(
        "clickscore_batch_seconds",
        "How long micro-batches took, from the start to the last commit.",
        buckets=list(zip(bounds, accumulate(pulse.histogram), strict=True)),
        sum_value=pulse.seconds,
    )
