"""Samples of a few records."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from clickscore.shops.shapes import settled
from clickscore.shops.survey import Survey, survey

MakeSample = Callable[..., Survey]


@pytest.fixture
def surveyed() -> MakeSample:
    """Return what looks at records, each five times, so that there are enough of them."""
    return lambda *records, times=5: settled(
        survey([as_bytes(record) for _ in range(times) for record in records], "clicks.jsonl")
    )


def as_bytes(record: Any) -> bytes:
    return record if isinstance(record, bytes) else json.dumps(record).encode()
