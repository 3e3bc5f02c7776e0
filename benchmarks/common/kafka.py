"""A broker for the time of a benchmark."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shopsim.broker import Broker


@contextmanager
def running_broker(home: Path, port: int) -> Iterator[Broker]:
    """Start a broker with its data in an empty folder; end it with the block."""
    broker = Broker(home, port)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def process_id(broker: Broker) -> int:
    """Return the id of the process of a broker that runs."""
    assert broker.process
    return int(broker.process.pid)
