import pytest
from pyspark.errors import StreamingQueryException

from clickscore.errors import ModelUnavailableError, SourceUnavailableError, StreamError, TableError, WorkerLostError
from clickscore.sources.unreadable_files import UnreadableFileError
from clickscore.stream.micro_batch import ConstraintsChangedError, StopRequestedError
from clickscore.stream.next_step import (
    Done,
    ExplainLoss,
    Failure,
    Raise,
    Restart,
    State,
    Step,
    WithoutFile,
    next_step,
)

FAILED = StreamingQueryException("the query has failed")
REPLACED = StreamError("another run has taken the stream over")
DISK_FULL = StreamingQueryException("No space left on device")
FILE = UnreadableFileError(3, "file:/landing/a.jsonl.gz", "EOFException")


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (State(), Done()),
        (State(is_stopping=True), Done()),
        (State(is_clock_set_back=True), Restart()),
        (State(is_clock_set_back=True, is_stopping=True), Done()),
        (State(replaced=REPLACED), Done()),  # it had nothing left to write
    ],
)
def test_query_that_came_to_its_end_is_the_last_unless_the_clock_was_set_back(state: State, step: Step) -> None:
    assert next_step(None, state) == step


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (State(is_stopping=True), Done()),
        (State(is_stopping=True, replaced=REPLACED), Done()),
        (State(is_clock_set_back=True), Restart()),
    ],
)
def test_micro_batch_that_did_not_begin_is_left_to_the_next_query_or_run(state: State, step: Step) -> None:
    assert next_step(Failure(FAILED, StopRequestedError()), state) == step


def test_another_query_goes_on_with_constraints_that_were_changed_meanwhile() -> None:
    assert next_step(Failure(FAILED, ConstraintsChangedError()), State()) == Restart()


@pytest.mark.parametrize("batch", [None, FILE, TableError("t"), SourceUnavailableError("s"), OSError("o")])
def test_run_that_was_replaced_ends_with_that_reason_whatever_has_failed(batch: Exception | None) -> None:
    assert next_step(Failure(FAILED, batch), State(replaced=REPLACED)) == Raise(REPLACED)


@pytest.mark.parametrize(
    "error",
    [StreamError("s"), WorkerLostError("w"), SourceUnavailableError("s"), ModelUnavailableError("m"), DISK_FULL],
)
def test_error_that_says_enough_or_may_pass_is_raised_as_it_is(error: Exception) -> None:
    assert next_step(Failure(FAILED, error), State()) == Raise(error)


def test_wrong_wiring_found_by_a_micro_batch_ends_the_running_stream() -> None:
    step = next_step(Failure(FAILED, TableError("scored_clicks has another shape")), State())
    assert isinstance(step, Raise)
    assert type(step.error) is StreamError
    assert str(step.error) == "the stream cannot continue: scored_clicks has another shape"


def test_file_that_cannot_be_read_is_passed_over_once() -> None:
    other = frozenset({"file:/landing/b.jsonl.gz"})
    assert next_step(Failure(FAILED, FILE), State(unreadable=other)) == WithoutFile(FILE)
    assert next_step(Failure(FAILED, FILE), State(unreadable=other | {FILE.path})) == ExplainLoss(FAILED)


def test_query_that_fails_between_micro_batches_may_have_lost_records() -> None:
    assert next_step(Failure(FAILED), State()) == ExplainLoss(FAILED)
    assert next_step(Failure(FAILED, OSError("of the model")), State()) == ExplainLoss(FAILED)


def test_loss_is_not_looked_for_where_it_is_accepted_or_the_failure_may_pass() -> None:
    assert next_step(Failure(FAILED), State(accept_loss=True)) == Raise(FAILED)
    assert next_step(Failure(DISK_FULL), State()) == Raise(DISK_FULL)
