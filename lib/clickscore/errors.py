"""What can be wrong with the wiring, before a single click is read.

::

    ClickscoreError
    ├── ConfigError        the configuration, its schema file or its features file
    ├── ModelError
    │   ├── ModelNotFoundError     no such model, version or alias, or no such registry
    │   ├── ModelUnavailableError  the registry or the files of a version cannot be reached now
    │   ├── UntrustedModelError    loading it could run code, or its files were changed
    │   └── SignatureError         the model and the features file do not fit together
    ├── SourceError        the source cannot be read as configured
    │   ├── DataLossError          records are gone from the source before they were read
    │   └── SourceUnavailableError the broker does not answer now
    ├── TableError         an output table exists in another shape
    ├── CheckpointError    checkpoint and output tables do not belong together
    └── WiringError        several of these at once

    StreamError            a running stream cannot go on; exit status 1
    └── WorkerLostError        a Python worker has died, and the model is not to blame

    ReplayError            a replay of rejected clicks cannot go on; exit status 1

Bad records never raise: they become rows of ``rejected_clicks``. Bad wiring always raises one of these, at the start;
a job turns them into one message and exit status 2. Each message says where, what was expected, what was found, and
what to do next.
"""

from collections.abc import Sequence

_OF_A_WORKER = "PythonException"
"""Class of PySpark's errors, of both kinds of sessions, that carry the trace of a Python worker."""


def gist(error: BaseException) -> str:
    """Return the line of an error of Spark or MLflow that says what is wrong, without the plan or the trace."""
    lines = str(error).strip().splitlines() or [""]
    # By its name: this module is imported where there is no PySpark. A worker's trace ends with what it says.
    is_of_a_worker = any(kind.__name__ == _OF_A_WORKER for kind in type(error).__mro__)
    return lines[-1] if is_of_a_worker else lines[0]


class StreamError(Exception):
    """Raised when a running stream cannot go on, for a reason that we can tell better than the engine."""


class WorkerLostError(StreamError):
    """Raised when a Python worker dies although the model is in a process of its own; trying again may help."""


class ReplayError(Exception):
    """Raised when a replay of rejected clicks cannot go on; to start it again does no harm."""


class ClickscoreError(Exception):
    """Base of all errors that the person who runs the job can put right."""


class ConfigError(ClickscoreError):
    """Raised when the configuration cannot be used; lists every problem of the file at once."""

    def __init__(self, where: str, problems: list[str]) -> None:
        """Keep the problems, one sentence each, and show them below the place they are in."""
        self.problems = problems
        super().__init__("\n".join([f"{where} cannot be used:", *(f"  - {problem}" for problem in problems)]))


class ModelError(ClickscoreError):
    """Raised when the model cannot be used."""


class ModelNotFoundError(ModelError):
    """Raised when the registry, the model, its version or its alias does not exist."""


class ModelUnavailableError(ModelError):
    """Raised when the registry, or the place where it keeps its files, does not answer; trying again may help."""


class UntrustedModelError(ModelError):
    """Raised when loading a model could run code that nobody has allowed, or its files are not those registered."""


class SignatureError(ModelError):
    """Raised when the features file does not produce what the model's signature asks for."""


class SourceError(ClickscoreError):
    """Raised when the source of the clicks is missing or cannot be read."""


class DataLossError(SourceError):
    """Raised when going on would silently pass over records that are no longer in the source."""


class SourceUnavailableError(SourceError):
    """Raised when the source of the clicks does not answer; trying again may help."""


class TableError(ClickscoreError):
    """Raised when an output table exists already, in a shape that scored or rejected clicks do not fit into."""


class CheckpointError(ClickscoreError):
    """Raised when going on from this checkpoint would lose clicks or write them twice."""


class WiringError(ClickscoreError):
    """Raised when more than one part of a run is wrong; lists every problem at once."""

    def __init__(self, problems: Sequence[ClickscoreError]) -> None:
        """Keep the problems, and number their messages."""
        self.problems = tuple(problems)
        listed = "\n".join(f"{number}. {problem}" for number, problem in enumerate(problems, 1))
        super().__init__(f"the run cannot start, for {len(self.problems)} reasons:\n{listed}")
