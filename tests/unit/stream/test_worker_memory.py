"""What the garbage collection of a Python worker looks at."""

import gc
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


def test_what_was_spared_and_is_garbage_now_goes_with_the_next_time() -> None:
    spare_what_stays()
    one: list[object] = []
    one.append(one)
    spare_what_stays()
    del one
    assert gc.collect() == 0
    gc.unfreeze()
    assert gc.collect() > 0


def test_each_stage_spares_its_imports_once() -> None:
    spare_imports("pack")
    later: list[object] = []
    spare_imports("pack")
    assert any(each is later for each in gc.get_objects())
    spare_imports("unpack")
    assert not any(each is later for each in gc.get_objects())
