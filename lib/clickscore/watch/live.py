"""What a running job says itself: its metrics over HTTP, where the configuration names an address."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from math import isnan

from prometheus_client.parser import text_string_to_metric_families

from clickscore.config.run import HealthEndpoint

PATIENCE_S = 0.5
"""A job on this machine answers within milliseconds; the screen must not wait for one that is away."""


@dataclass(frozen=True)
class Live:
    """What the job says.

    Attributes:
        status: such as ``ok`` or ``behind``.
        lag_s: how long the oldest unprocessed click can have been waiting at most; None if it is unknown.
        model: name and version of the champion.
        scored: clicks scored since the job began.
        rejected: records rejected since then.
        by_reason: these by reason.
    """

    status: str
    lag_s: float | None
    model: tuple[str, str] | None
    scored: int
    rejected: int
    by_reason: Mapping[str, int] = field(default_factory=dict)


def ask(endpoint: HealthEndpoint) -> Live | None:
    """Return what the job says that listens there; None if nobody answers, or somebody else does."""
    connection = HTTPConnection(_host(endpoint), endpoint.port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/metrics")
        return read_metrics(connection.getresponse().read().decode())
    except (OSError, HTTPException, ValueError, LookupError):  # the last two: what answers is no job of ours
        return None
    finally:
        connection.close()


def _host(endpoint: HealthEndpoint) -> str:
    """Return where to ask a job; one that listens at all addresses is asked on this machine."""
    with suppress(ValueError):  # it is a name
        if ip_address(endpoint.host).is_unspecified:
            return "localhost"
    return endpoint.host


def read_metrics(text: str) -> Live:
    """Return what metrics in Prometheus' text format say.

    Raises:
        ValueError: if it is no such text.
        LookupError: if metrics of the job are missing.
    """
    found = dict(_samples(text))

    def number(name: str) -> int:
        return int(found[f"clickscore_{name}", ()])

    lag_s = found["clickscore_oldest_unprocessed_seconds", ()]
    [status] = (labels[0] for (name, labels), value in found.items() if name == "clickscore_status" and value)
    models = [labels for name, labels in found if name == "clickscore_model_info"]
    return Live(
        status=status,
        lag_s=None if isnan(lag_s) else lag_s,
        model=(models[0][0], models[0][1]) if models else None,
        scored=number("clicks_scored_total"),
        rejected=number("records_rejected_total"),
        by_reason={
            labels[0]: int(value)
            for (name, labels), value in found.items()
            if name == "clickscore_records_rejected_by_reason_total"
        },
    )


def _samples(text: str) -> Iterator[tuple[tuple[str, tuple[str, ...]], float]]:
    """Yield each sample by its name and the values of its labels, in the order of their names."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield (sample.name, tuple(value for _, value in sorted(sample.labels.items()))), sample.value
