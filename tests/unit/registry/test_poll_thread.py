"""The registry is asked aside, until the run ends."""

import threading

from tests.support.waiting import wait_until

from clickscore.registry.poll_thread import PollThread


def test_poll_comes_again_and_again_and_ends_with_stop() -> None:
    polls: list[str] = []
    thread = PollThread(lambda: polls.append(threading.current_thread().name), 0.01)
    assert not polls
    thread.start()
    wait_until(lambda: len(polls) > 2)
    thread.stop()
    assert thread.is_stopping
    assert set(polls) == {"alias-poller"}
    assert not [each for each in threading.enumerate() if each.name == "alias-poller"]


def test_thread_that_never_began_can_be_stopped() -> None:
    thread = PollThread(lambda: None, 60)
    thread.stop()
    assert thread.is_stopping
