"""What the garbage collection of a Python worker looks at."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from clickscore.stream import worker_memory
from clickscore.stream.worker_memory import spare_imports, spare_what_stays


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    worker_memory._spared.clear()
    yield
    worker_memory._spared.clear()
    gc.unfreeze()


def test_what_is_there_is_no_longer_looked_at_and_what_comes_later_is() -> None:
    before = [[] for _ in range(1_000)]
    spare_what_stays()
    assert len(gc.get_objects()) < len(before)
    later: list[object] = []
    assert any(each is later for each in gc.get_objects())


class Ring:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


def test_what_was_spared_and_is_garbage_by_now_goes_with_the_next_time() -> None:
    ring = Ring()
    is_there = weakref.ref(ring)
    spare_what_stays()
    del ring
    gc.collect()
    assert is_there()
    spare_what_stays()
    assert not is_there()


def test_each_stage_spares_its_imports_once() -> None:
    spare_imports("pack")
    later: list[object] = []
    spare_imports("pack")
    assert any(each is later for each in gc.get_objects())
    spare_imports("unpack")
    assert not any(each is later for each in gc.get_objects())
