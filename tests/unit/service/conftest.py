"""Running services for the tests that only ask."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.poison import GATE, register_poison
from tests.support.service import PATIENT, Served, served
from tests.support.shop import Shop

TOKEN = "s3cret-of-the-service"
HANG_LIMIT = "12 seconds"
"""A hanging click costs half of it: a quarter in company, a quarter alone."""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, make_shop: Callable[[Path], Shop]) -> Iterator[Served]:
    """A service with all defaults."""
    with served(make_shop(tmp_path_factory.mktemp("service") / "shop")) as running:
        yield running


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory, make_shop: Callable[[Path], Shop]) -> Iterator[Served]:
    """A service that wants a token, with low limits."""
    home = tmp_path_factory.mktemp("strict")
    (home / "token").write_text(f"{TOKEN}\n")
    limits: dict[str, Any] = {"max_body": 2_000, "max_records": 5, "time_limit": "1 second"}
    with served(make_shop(home / "shop"), token=f"file:{home}/token", **limits) as running:
        yield running


def poisoned(shop: Shop, registry_uri: str) -> Shop:
    register_poison(registry_uri, "poison")
    shop.set(model={"uri": "models:/poison@champion", "registry": registry_uri, "trust": "pickle"})
    return shop


@pytest.fixture
def poison_shop(shop: Shop, registry_uri: str) -> Shop:
    """A shop whose model has moods."""
    return poisoned(shop, registry_uri)


@pytest.fixture(scope="module")
def moody(
    tmp_path_factory: pytest.TempPathFactory, make_shop: Callable[[Path], Shop], registry_uri: str
) -> Iterator[Served]:
    """A service whose model has moods, and little time."""
    shop = make_shop(tmp_path_factory.mktemp("moody") / "shop")
    with served(poisoned(shop, registry_uri), time_limit=HANG_LIMIT) as running:
        yield running


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file; while it is there, the model of the gated service does not answer."""
    return tmp_path_factory.mktemp("gated") / "gate"


@pytest.fixture(scope="module")
def gated(gate: Path, make_shop: Callable[[Path], Shop], registry_uri: str) -> Iterator[Served]:
    """A service for which no more than 50 records may wait, and whose model has much time."""
    shop, limits = make_shop(gate.parent / "shop"), {"max_waiting": 50, "time_limit": PATIENT}
    with served(poisoned(shop, registry_uri), {GATE: str(gate)}, **limits) as running:
        yield running
