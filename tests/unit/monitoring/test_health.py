import threading
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from clickscore.monitoring.health import BATCH_SECONDS, Health
from clickscore.monitoring.report import Report

MODEL = ("click_propensity", "3")
DONE = Report(0, 1_000, 990, 10, 2, 0.7, None, *MODEL)
NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.seconds = 5_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    """Stuck after 300 s, with a trigger every 60 s."""
    return Health(300, 60, clock, lambda: NOON)


def status_at(health: Health, clock: Clock, seconds: float) -> str:
    clock.seconds = 5_000.0 + seconds
    return health.pulse().status


def test_job_that_does_not_get_started_is_stuck(health: Health, clock: Clock) -> None:
    assert status_at(health, clock, 0) == "starting"
    assert status_at(health, clock, 300) == "starting"
    assert status_at(health, clock, 301) == "stuck"
    health.report(DONE)
    assert status_at(health, clock, 301) == "ok"


def test_job_that_finishes_nothing_is_stuck_after_the_trigger_had_its_time(health: Health, clock: Clock) -> None:
    health.idle(0)
    assert status_at(health, clock, 360) == "ok"
    assert status_at(health, clock, 361) == "stuck"
    health.idle(0)
    assert status_at(health, clock, 361) == "ok"


def test_job_that_works_off_a_backlog_is_behind_but_never_stuck(health: Health, clock: Clock) -> None:
    health.idle(0)
    for number in range(20):
        clock.seconds += 60
        health.report(replace(DONE, batch_id=number))
    pulse = health.pulse()
    assert (pulse.status, pulse.oldest_s, pulse.quiet_s) == ("behind", 1_200, 0)
    health.caught_up(30)
    pulse = health.pulse()
    assert (pulse.status, pulse.oldest_s) == ("ok", 30)


def test_what_waits_is_unknown_until_somebody_has_seen_the_end_of_the_source(health: Health, clock: Clock) -> None:
    health.report(DONE)
    assert (health.oldest_s, health.pulse().status) == (None, "ok")
    clock.seconds += 361
    health.report(replace(DONE, batch_id=1))
    assert (health.oldest_s, health.pulse().status) == (None, "behind")


def test_what_is_known_to_be_processed_stays_processed(health: Health, clock: Clock) -> None:
    health.caught_up(10)
    health.caught_up(500)
    assert health.oldest_s == 10
    clock.seconds += 7
    assert health.oldest_s == 17


def test_failures_count_until_something_is_finished(health: Health, clock: Clock) -> None:
    health.idle(0)
    for seconds in (100, 200, 300):
        clock.seconds = 5_000 + seconds
        health.failed()
    pulse = health.pulse()
    assert (pulse.failures, pulse.retries, pulse.status) == (3, 3, "ok")
    assert status_at(health, clock, 361) == "stuck"
    health.report(DONE)
    assert (health.pulse().failures, health.pulse().retries, health.pulse().status) == (0, 3, "behind")
    health.failed()
    health.idle(5)
    assert (health.pulse().failures, health.pulse().retries, health.pulse().status) == (0, 4, "ok")


def test_micro_batches_are_added_up_and_the_last_one_is_told(health: Health) -> None:
    health.serves("click_propensity", "2")
    assert health.pulse().model == ("click_propensity", "2")
    assert (health.pulse().last_batch, health.pulse().last_batch_at) == (None, None)
    health.report(replace(DONE, batch_id=7, duplicates=None))
    health.report(replace(DONE, batch_id=8, read=20, scored=15, rejected=1, duplicates=4, seconds=2.5))
    pulse = health.pulse()
    assert (pulse.batches, pulse.last_batch, pulse.last_batch_at) == (2, 8, NOON)
    assert (pulse.read, pulse.scored, pulse.rejected, pulse.duplicates) == (1_020, 1_005, 11, 4)
    assert pulse.model == ("click_propensity", "3")
    assert pulse.seconds == 3.2
    assert dict(zip(BATCH_SECONDS, pulse.histogram[:-1], strict=True)) | {0.5: 0, 5.0: 0} == dict.fromkeys(
        BATCH_SECONDS, 0
    ) | {1.0: 1, 2.5: 1}


def test_micro_batch_that_is_done_again_is_counted_once(health: Health, clock: Clock) -> None:
    health.report(DONE)
    clock.seconds += 400
    health.report(DONE)
    pulse = health.pulse()
    assert (pulse.batches, pulse.read, sum(pulse.histogram)) == (1, 1_000, 1)
    assert pulse.quiet_s == 0


def test_reports_and_questions_may_come_from_any_thread() -> None:
    health = Health(300)

    def report(first: int) -> None:
        for number in range(first, first + 500):
            health.failed()
            health.caught_up(number)

    threads = [threading.Thread(target=report, args=[part * 500]) for part in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        pulse = health.pulse()
        assert pulse.failures == pulse.retries
    assert health.pulse().retries == 2_000
