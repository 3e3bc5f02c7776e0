"""Trackers whose records are known: their ready-made contracts, and by which fields a sample is recognised."""

from collections.abc import Mapping
from types import MappingProxyType

from clickscore.shops.contract_files import yaml_text
from clickscore.shops.survey import Survey

USUAL = 0.6
"""Share of the records that must have each field of a signature; there are some without, and some bad records."""

SIGNATURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "snowplow": ("event_id", "collector_tstamp", "event_name", "etl_tstamp"),
        "segment": ("messageId", "type", "anonymousId", "originalTimestamp"),
        "ga4": ("event_timestamp", "event_name", "user_pseudo_id", "event_bundle_sequence_id"),
        "posthog": ("uuid", "event", "distinct_id", "timestamp"),
        "webshop": ("event_time", "event_type", "product_id", "user_id", "user_session"),
    }
)
"""Fields that together only one tracker writes, by the folder of its contract in conf/trackers."""


def recognise(sample: Survey) -> str | None:
    """Return the name of the tracker that has written a sample; None if it is none of those that are known."""
    common = {place.path for place in sample.places if sample.share(place) >= USUAL}
    return next((name for name, paths in SIGNATURES.items() if common.issuperset(paths)), None)


def adapted(texts: Mapping[str, str], name: str, folder: str, shop: str) -> dict[str, str]:
    """Return the files of a ready-made contract for a folder of its own, and with tables of its own.

    Args:
        texts: the files, by their names.
        name: of the tracker.
        folder: where the files will be.
        shop: name of the new shop.
    """
    changes = {
        **{f"conf/trackers/{name}/{file}": yaml_text(f"{folder}/{file}") for file in texts},
        f"build/trackers/{name}/": f"build/shops/{shop}/",
        f"models:/{name}_propensity@": f"models:/{shop}_propensity@",
        "build/trackers/mlflow.db": f"build/shops/{shop}/mlflow.db",
    }
    found = dict(texts)
    for old, new in changes.items():
        found = {file: text.replace(old, new) for file, text in found.items()}
    return found
