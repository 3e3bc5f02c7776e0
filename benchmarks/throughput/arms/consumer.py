"""A consumer in plain Python as an arm, as people write it: a loop over records, predictions and writes in batches."""

import math
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from benchmarks.throughput.entrants import Arm, table_scores
from benchmarks.throughput.load import BATCH, Load, Setting
from benchmarks.throughput.without_spark import LINEAGE, append, fetch_champion, read_click
from confluent_kafka import Consumer, Message

POLL_RECORDS = 10_000
POLL_S = 1.0
NO_NUMBER = math.nan
CART_STEPS = ("add_to_cart", "view_cart", "checkout")
PAID = ("paid_search", "affiliate")
MS_PER_S = 1000


class PythonConsumer:
    """confluent-kafka, orjson, Booster and delta-rs in one process."""

    def __init__(self, setting: Setting, home: Path) -> None:
        """Load the model."""
        self._servers, self._champion = setting.servers, fetch_champion(setting, home)
        click = read_click()
        self._required = [field.name for field in click if not field.nullable]
        self._shape = pa.schema([*((field.name, field.type) for field in click), *LINEAGE])

    def run(self, load: Load, out: Path) -> None:
        """Score the whole topic; a record that is no click is left out."""
        consumer = Consumer({"bootstrap.servers": self._servers, "group.id": str(uuid.uuid4()),
                             "auto.offset.reset": "earliest", "enable.auto.commit": False})  # fmt: skip
        consumer.subscribe([load.topic])
        seen, batch_id = 0, 0
        clicks, features = list[dict[str, Any]](), list[list[float]]()
        while seen < load.records:
            for message in consumer.consume(min(POLL_RECORDS, BATCH - seen % BATCH), POLL_S):
                seen += 1
                try:
                    click = self._decode(message)
                    features.append(compute(click))
                except (ValueError, KeyError, TypeError):
                    continue
                clicks.append(click)
            if clicks and (seen % BATCH == 0 or seen == load.records):
                self._flush(clicks, features, batch_id, out)
                consumer.commit(asynchronous=False)
                clicks, features, batch_id = [], [], batch_id + 1
        consumer.close()

    def _decode(self, message: Message) -> dict[str, Any]:
        click: dict[str, Any] = orjson.loads(message.value() or b"")
        for name in self._required:
            click[name]
        click["event_time"] = datetime.fromisoformat(click["event_time"])
        click["source"], click["source_offset"] = f"{message.topic()}-{message.partition()}", message.offset()
        return click

    def _flush(self, clicks: list[dict[str, Any]], features: list[list[float]], batch_id: int, out: Path) -> None:
        scores = self._champion.booster.predict(np.array(features))
        append(pa.Table.from_pylist(clicks, self._shape), scores, self._champion, batch_id, out)

    def scores(self, out: Path) -> pa.Table | None:
        """Return what is in the table."""
        return table_scores(out)


def compute(click: dict[str, Any]) -> list[float]:
    """Return the features of `conf/features.sql` for one click."""
    get = click.get
    event, time, device, channel = click["event_type"], click["event_time"], get("device"), get("channel")
    price, dwell, query = get("price"), get("dwell_ms"), get("search_query")
    return [
        event == "view_product",
        event in CART_STEPS,
        event == "search",
        event == "remove_from_cart",
        _known(device, device == "mobile"),
        _known(device, device == "desktop"),
        _known(channel, channel == "email"),
        _known(channel, channel == "social"),
        _known(channel, channel in PAID),
        _known(channel, channel == "direct"),
        get("returning", NO_NUMBER),
        _known(get("country"), get("country") == "DE"),
        time.hour,
        time.weekday(),
        click["viewport_width"] / click["viewport_height"] if "viewport_width" in click else NO_NUMBER,
        NO_NUMBER if price is None else math.log(price),
        get("quantity", NO_NUMBER),
        _known(dwell, dwell == 0),
        NO_NUMBER if dwell is None else math.log(1 + dwell / MS_PER_S),
        get("scroll_depth", NO_NUMBER),
        NO_NUMBER if query is None else len(query),
        "referrer" not in click,
    ]


def _known(value: object, feature: float) -> float:
    return NO_NUMBER if value is None else feature


ARMS: dict[str, Callable[[Setting, Path], Arm]] = {"python_consumer": PythonConsumer}
