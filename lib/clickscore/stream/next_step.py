"""The next step after a query has ended: a pure function of what has failed."""

from dataclasses import dataclass

from clickscore.errors import ModelUnavailableError, SourceUnavailableError, StreamError, WiringError
from clickscore.sources.unreadable_files import UnreadableFileError
from clickscore.spark_errors import transient_cause
from clickscore.stream.micro_batch import ConstraintsChangedError, StopRequestedError


@dataclass(frozen=True)
class Failure:
    """Why a query has failed.

    Attributes:
        query: what Spark says of it.
        batch: what the micro-batch has raised, if it was in one; Spark leaves of it no more than the text.
    """

    query: Exception
    batch: Exception | None = None


@dataclass(frozen=True)
class State:
    """What the stream knows when a query has ended.

    Attributes:
        is_stopping: whether the run was asked to stop.
        is_clock_set_back: whether the query was ended because the clock was set back.
        replaced: the error that names the run which has taken the stream over, if one has.
        unreadable: paths of the files that are passed over.
        accept_loss: whether the run continues where records were lost from the source.
    """

    is_stopping: bool = False
    is_clock_set_back: bool = False
    replaced: StreamError | None = None
    unreadable: frozenset[str] = frozenset()
    accept_loss: bool = False


@dataclass(frozen=True)
class Done:
    """The stream ends."""


@dataclass(frozen=True)
class Restart:
    """Another query resumes from the checkpoint."""


@dataclass(frozen=True)
class WithoutFile:
    """Another query plans the micro-batch again, without a file that cannot be read."""

    file: UnreadableFileError


@dataclass(frozen=True)
class Raise:
    """The error ends this attempt; if it is transient, there is another one."""

    error: Exception


@dataclass(frozen=True)
class ExplainLoss:
    """As ``Raise``, unless records are gone from the source: then that is the error."""

    error: Exception


Step = Done | Restart | WithoutFile | Raise | ExplainLoss


def next_step(failure: Failure | None, state: State) -> Step:
    """Return what follows the end of a query.

    Args:
        failure: why it has failed; None if it came to its end or was stopped between two micro-batches.
        state: what the stream knows.
    """
    if failure is None:
        return Restart() if state.is_clock_set_back and not state.is_stopping else Done()
    if isinstance(failure.batch, StopRequestedError):
        return Done() if state.is_stopping else Restart()
    if state.replaced:  # A run that was replaced fails in several ways, and this is the reason for all of them.
        return Raise(state.replaced)
    match failure.batch:
        case ConstraintsChangedError():
            return Restart()
        case StreamError() | SourceUnavailableError() | ModelUnavailableError() as error:
            return Raise(error)
        case WiringError() as error:
            return Raise(StreamError(f"the stream cannot continue: {error}"))
        case UnreadableFileError() as file if file.path not in state.unreadable:
            return WithoutFile(file)
        case Exception() as error if transient_cause(error):
            return Raise(error)
    if state.accept_loss or transient_cause(failure.query):
        return Raise(failure.query)
    return ExplainLoss(failure.query)
