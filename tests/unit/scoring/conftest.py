"""A schema registry for tests of decoding."""

from collections.abc import Iterator

import pytest

from shopsim.registry import Registry


@pytest.fixture
def registry() -> Iterator[Registry]:
    server = Registry().start()
    yield server
    server.stop()
