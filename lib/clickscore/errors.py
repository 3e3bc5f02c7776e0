"""The errors that a job reports in one message, each with the exit status of the job.

::

    ClickscoreError
    ├── WiringError            exit status 2: the wiring is wrong, no click was read
    │   ├── ConfigError            the configuration, the click schema or the features file
    │   ├── ModelError
    │   │   ├── ModelNotFoundError     the model, version, alias or registry does not exist
    │   │   ├── ModelUnavailableError  the registry, files or an endpoint cannot be reached now
    │   │   ├── UntrustedModelError    loading it could run code, or its files were changed
    │   │   └── SignatureError         the model and the features file do not fit together
    │   ├── SourceError            the source cannot be read as configured
    │   │   ├── DataLossError          records were deleted from the source before they were read
    │   │   └── SourceUnavailableError the broker does not answer now
    │   ├── TableError             an output table exists with other columns or properties
    │   ├── CheckpointError        checkpoint and output tables do not belong together
    │   └── PreflightError         several of these at once
    └── RunError               exit status 1: a job that has begun cannot continue
        ├── StreamError            the stream
        │   └── WorkerLostError        a Python worker ended, and the model is not the cause
        ├── ReplayError            a replay of rejected clicks
        ├── BatchError             a batch over a bounded range
        ├── ErasureError           an erasure of visitors
        └── OutcomeError           a join of scores and outcomes

Bad records never raise: they become rows of ``rejected_clicks``. Bad wiring always raises, before the first
micro-batch. Each message says where, what was expected, what was found, and what to do next.
"""

from collections.abc import Sequence
from typing import ClassVar

__all__ = [
    "BatchError", "CheckpointError", "ClickscoreError", "ConfigError", "DataLossError", "ErasureError", "ModelError",
    "ModelNotFoundError", "ModelUnavailableError", "OutcomeError", "PreflightError", "ReplayError", "RunError",
    "SignatureError", "SourceError", "SourceUnavailableError", "StreamError", "TableError", "UntrustedModelError",
    "WiringError", "WorkerLostError",
]  # fmt: skip

_OF_A_WORKER = "PythonException"
"""Class of PySpark's errors, of both kinds of sessions, that carry the trace of a Python worker."""


def gist(error: BaseException) -> str:
    """Return the line of an error of Spark or MLflow that says what is wrong, without the plan or the trace."""
    lines = str(error).strip().splitlines() or [""]
    # By its name: this module is imported where there is no PySpark. A worker's trace ends with what it says.
    is_of_a_worker = any(kind.__name__ == _OF_A_WORKER for kind in type(error).__mro__)
    return lines[-1] if is_of_a_worker else lines[0]


class ClickscoreError(Exception):
    """Base of all errors of the package that a person can act on.

    Attributes:
        exit_status: with which a job ends that meets it.
    """

    exit_status: ClassVar[int] = 1


class WiringError(ClickscoreError):
    """Base of what is wrong with configuration, model, source, tables or checkpoint; raised before a click is read."""

    exit_status = 2


class RunError(ClickscoreError):
    """Base of what ends a job that has begun; it can be started again without losing or duplicating a record."""


class StreamError(RunError):
    """Raised when a running stream cannot continue, and the cause is known better than the engine states it."""


class WorkerLostError(StreamError):
    """Raised when a Python worker ends although the model runs in a process of its own; a retry may help."""


class ReplayError(RunError):
    """Raised when a replay of rejected clicks cannot continue; it is safe to start it again."""


class BatchError(RunError):
    """Raised when a batch over a bounded range cannot continue; it is safe to start it again."""


class ErasureError(RunError):
    """Raised when an erasure of visitors cannot continue; it is safe to start it again, with the same ids."""


class OutcomeError(RunError):
    """Raised when the outcomes cannot be written; it is safe to start the job again."""


class ConfigError(WiringError):
    """Raised when the configuration cannot be used; lists every problem of the file at once."""

    def __init__(self, where: str, problems: list[str]) -> None:
        """Keep the problems, one sentence each, and show them below the place they are in."""
        self.where, self.problems = where, problems
        super().__init__("\n".join([f"{where} cannot be used:", *(f"  - {problem}" for problem in problems)]))


class ModelError(WiringError):
    """Raised when the model cannot be used."""


class ModelNotFoundError(ModelError):
    """Raised when the registry, the model, its version or its alias does not exist."""


class ModelUnavailableError(ModelError):
    """Raised when the registry, the place where it keeps its files, or an endpoint is away; trying again may help."""


class UntrustedModelError(ModelError):
    """Raised when loading a model could run code that nobody has allowed, or its files are not those registered."""


class SignatureError(ModelError):
    """Raised when the features file does not produce what the model's signature asks for."""


class SourceError(WiringError):
    """Raised when the source of the clicks is missing or cannot be read."""


class DataLossError(SourceError):
    """Raised when going on would silently pass over records that are no longer in the source."""


class SourceUnavailableError(SourceError):
    """Raised when the source of the clicks does not answer; trying again may help."""


class TableError(WiringError):
    """Raised when an output table exists already, in a shape that scored or rejected clicks do not fit into."""


class CheckpointError(WiringError):
    """Raised when going on from this checkpoint would lose clicks or write them twice."""


class PreflightError(WiringError):
    """Raised when more than one part of a run is wrong; lists every problem at once."""

    def __init__(self, problems: Sequence[WiringError]) -> None:
        """Keep the problems, and number their messages."""
        self.problems = tuple(problems)
        listed = "\n".join(f"{number}. {problem}" for number, problem in enumerate(problems, 1))
        super().__init__(f"the run cannot start, for {len(self.problems)} reasons:\n{listed}")
