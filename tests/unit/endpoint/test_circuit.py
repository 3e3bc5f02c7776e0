"""The circuit breaker opens after failures in a row, and lets one request at a time find out about the end of it."""

import pytest

from clickscore.endpoint.circuit import FIRST_PAUSE_S, LONGEST_PAUSE_S, LOOK_AGAIN_S, OPENS_AFTER, Circuit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    """A circuit that has just opened."""
    circuit = Circuit(clock)
    for _ in range(OPENS_AFTER):
        assert circuit.admit() == 0
        circuit.failed("connection refused")
    return circuit


def test_failures_with_successes_between_leave_it_closed(clock: Clock) -> None:
    circuit = Circuit(clock)
    for _ in range(3):
        for _ in range(OPENS_AFTER - 1):
            circuit.failed("HTTP 503")
        circuit.succeeded()
    assert circuit.admit() == 0


def test_failures_in_a_row_open_it_for_a_pause(circuit: Circuit, clock: Clock) -> None:
    assert circuit.admit() == FIRST_PAUSE_S
    clock.now = FIRST_PAUSE_S / 2
    assert circuit.admit() == FIRST_PAUSE_S / 2
    assert circuit.cause == "connection refused"


def test_one_request_asks_after_the_pause_and_the_others_wait_for_it(circuit: Circuit, clock: Clock) -> None:
    clock.now = FIRST_PAUSE_S
    assert [circuit.admit(), circuit.admit()] == [0, LOOK_AGAIN_S]
    circuit.succeeded()
    assert [circuit.admit(), circuit.admit()] == [0, 0]


def test_pause_doubles_up_to_the_longest_as_long_as_it_fails(circuit: Circuit, clock: Clock) -> None:
    pauses = []
    for _ in range(8):
        clock.now += circuit.admit()
        assert circuit.admit() == 0
        circuit.failed("HTTP 503")
        pauses.append(circuit.admit())
    assert pauses[:3] == [2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S, 8 * FIRST_PAUSE_S]
    assert pauses[-1] == LONGEST_PAUSE_S
