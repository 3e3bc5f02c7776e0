"""Running services for the tests that only ask."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.poison import register_poison
from tests.support.service import Served, served
from tests.support.shop import Shop

TOKEN = "s3cret-of-the-service"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, make_shop: Callable[[Path], Shop]) -> Iterator[Served]:
    """A service with all defaults."""
    with served(make_shop(tmp_path_factory.mktemp("service") / "shop")) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, make_shop: Callable[[Path], Shop]) -> Iterator[Served]:
    """A service that wants a token, with low limits."""
    home = tmp_path_factory.mktemp("strict")
    (home / "token").write_text(f"{TOKEN}\n")
    limits: dict[str, Any] = {"max_body": 2_000, "max_records": 5, "time_limit": "1 second"}
    with served(make_shop(home / "shop"), token=f"file:{home}/token", **limits) as running:
        yield running


@pytest.fixture
def poison_shop(shop: Shop, registry_uri: str) -> Shop:
    """A shop whose model has moods."""
    register_poison(registry_uri, "poison")
    shop.set(model={"uri": "models:/poison@champion", "registry": registry_uri, "trust": "pickle"})
    return shop
