"""How long records of a topic may have been waiting."""

import math
import time
from collections.abc import Callable
from typing import Any

from tests.support.waiting import wait_until

from clickscore.monitoring.lag import is_reached

MakeClick = Callable[..., dict[str, Any]]


def test_records_that_are_left_came_after_the_last_trigger_that_saw_what_is_read_now(
    kafka_shop: Any, topic: Any, watched: Callable[[], Any], make_click: MakeClick
) -> None:
    settings = kafka_shop.config.source.model_dump(mode="json", exclude_none=True)
    kafka_shop.set(source={**settings, "max_records": 10})
    topic.make(1)
    topic.send(*(make_click(number) for number in range(20)))
    began = time.time()
    stream = watched()
    wait_until(lambda: stream.query.status["isDataAvailable"])
    planned = time.time()
    topic.send(*(make_click(number) for number in range(20, 40)))
    assert math.isnan(stream.batch(0))
    assert began < stream.batch(1) < planned  # All that the first trigger saw; the other twenty came later.
    assert began < stream.batch(2) < planned
    assert planned < stream.batch(3)  # All that the second one saw.
    everything = time.time()
    wait_until(lambda: stream.look() > everything)


def test_mark_is_reached_when_every_partition_is() -> None:
    mark = {("clicks", 0): 5, ("clicks", 1): 7}
    assert is_reached(mark, {("clicks", 0): 5, ("clicks", 1): 9, ("clicks", 2): 1})
    assert not is_reached(mark, {("clicks", 0): 9, ("clicks", 1): 6})
    assert not is_reached(mark, {("clicks", 0): 9})
    assert not is_reached(mark, {})
