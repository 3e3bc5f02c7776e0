"""The clicks that all arms of `make bench` score, and where they are."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
from benchmarks.common.clicks import PER_FILE, land, send
from benchmarks.common.kafka import running_broker
from benchmarks.common.model import register_model

from shopsim.broker import Broker
from shopsim.records import Faults

BATCH = 250_000
"""Clicks in a micro-batch, of all arms."""
SPARE_FILES = 0.5
"""Files differ in size by some bytes: with half a file to spare, each micro-batch takes the same number of them."""
PRIME_CLICKS = 20_000
"""Clicks that an arm scores before its turn, so that its Python workers are there: Spark ends them when they have had
nothing to do for a minute."""
FAULTS = Faults(malformed=0.001)
SEED, PRIME_SEED = 7, 8
PORT = 9492
PARTITIONS = 2


@dataclass(frozen=True)
class Load:
    """What a run of an arm reads: the same records in a folder of JSON lines and in a topic.

    Attributes:
        folder: the landing folder.
        topic: the topic.
        records: how many there are.
        bytes: their size as JSON lines.
        max_bytes: bytes of files that make a micro-batch of ``BATCH`` clicks.
    """

    folder: str
    topic: str
    records: int
    bytes: int
    max_bytes: int


@dataclass(frozen=True)
class Setting:
    """What all arms have in common: the model registry, the broker, and what they read, in earnest and to get warm."""

    registry: str
    servers: str
    full: Load
    prime: Load

    def save(self, file: Path) -> None:
        """Write it down for the processes of the arms."""
        file.write_text(json.dumps(asdict(self)))


def read_setting(file: Path) -> Setting:
    """Return what ``Setting.save`` has written."""
    tree = json.loads(file.read_text())
    return Setting(tree["registry"], tree["servers"], Load(**tree["full"]), Load(**tree["prime"]))


@contextmanager
def prepared(home: Path, clicks: int, with_broker: bool) -> Iterator[tuple[Setting, Broker | None]]:
    """Write the clicks, train the model if there is none, fill the topics; the broker runs as long as the block."""
    registry = register_model()
    full, prime = _write(home / "clicks", clicks, SEED), _write(home / "prime", PRIME_CLICKS, PRIME_SEED)
    if not with_broker:
        yield Setting(registry, "", full, prime), None
        return
    with running_broker(home / "kafka", PORT) as broker:
        for load, seed in ((full, SEED), (prime, PRIME_SEED)):
            send(broker.servers, load.topic, PARTITIONS, load.records, seed, FAULTS)
        yield Setting(registry, broker.servers, full, prime), broker


def _write(folder: Path, clicks: int, seed: int) -> Load:
    shutil.rmtree(folder, ignore_errors=True)
    records = land(folder, clicks, seed, FAULTS)
    sizes = [file.stat().st_size for file in folder.iterdir()]
    max_bytes = round(sum(sizes) / records * (BATCH + SPARE_FILES * PER_FILE))
    return Load(str(folder), folder.name, records, sum(sizes), max_bytes)


def batches(load: Load) -> Iterator[list[str]]:
    """Yield the files of each micro-batch, for arms without Spark."""
    files = sorted(map(str, Path(load.folder).iterdir()))
    step = BATCH // PER_FILE
    for first in range(0, len(files), step):
        yield files[first : first + step]


def as_table(event_ids: pa.Array, scores: pa.Array) -> pa.Table:
    """Return scores with the clicks that they belong to, as arms show them to be checked."""
    return pa.table({"event_id": event_ids, "score": scores})
