"""Spark's errors, classified in this module only, by their class or their text.

Spark and Py4J give an error class or condition where the driver itself has failed. Of a task that failed on an
executor, only the text is left, with the Java or Python trace of the worker in it. Every pattern below has a test
against an error that Spark really raises.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

from py4j.protocol import Py4JJavaError
from pyspark.errors import AnalysisException, PySparkException, StreamingQueryException

from clickscore.errors import ModelUnavailableError, SourceUnavailableError, WorkerLostError, gist

SPARK_ERRORS = (PySparkException, Py4JJavaError)
"""What Spark raises: its own errors, and those of Java that PySpark does not convert."""

_TRANSIENT_CLASSES = re.compile(
    r"io\.delta\.exceptions\.\w+|org\.apache\.spark\.sql\.delta\.\w*Concurrent\w+"
    r"|org\.apache\.kafka\.common\.errors\.RetriableException"
    r"|java\.net\.(?:ConnectException|NoRouteToHostException|SocketException|SocketTimeoutException)"
    r"|java\.util\.concurrent\.TimeoutException"
)
"""Java classes of transient failures, or of their parents."""
UNAVAILABLE = f"{ModelUnavailableError.__name__}: "
"""How the text of a failed task begins to say that a model behind an endpoint cannot be asked."""
_TRANSIENT_TEXTS = re.compile(
    rf"{UNAVAILABLE}|No space left on device|Disk quota exceeded|Read-only file system|Stale file handle"
    r"|Connection reset|Connection refused|Broken pipe|timed out|Service Unavailable|Slow ?Down|Too Many Requests"
    r"|status code:? (?:429|50[0234])|CONCURRENT_STREAM_LOG_UPDATE|Concurrent update to the log|ExecutorLostFailure"
    r"|Mkdirs failed to create|org\.apache\.kafka\.common\.errors\.(?:Timeout|Disconnect|Network)Exception"
    r"|clickscore\.errors\.SourceUnavailableError: |io\.delta\.exceptions\.\w+|DELTA_(?:CONCURRENT_\w+|METADATA_CHANGED"
    r"|PROTOCOL_CHANGED)|IOException: Stream closed(?:\s+at [^\n]+)*?\s+at [^\n]+\.PythonWorkerFactory\.",
    re.IGNORECASE,
)
"""What stores, brokers and Spark (of a dead daemon of workers) say, where only the text of a failed task is left."""
_TOO_MANY_FAILURES = re.compile(r"TooManyFailuresError: (?P<what>[^\n]*)")
_CRASH = re.compile(r"Python worker exited unexpectedly|Python worker.*crashed", re.IGNORECASE)
_SILENT = "Python worker process terminated due to idle timeout"
"""What Spark says of a worker that it has ended for its silence, unless there was input that it had not read yet."""
_MODEL_FAULT = re.compile(r"ModelError: (?P<what>[^\n]*)|Python worker exited unexpectedly")
_READ_FAILED = re.compile(r"\[FAILED_READ_FILE[^\]]*\] Encountered error while reading file (?P<path>\S+?)\.(?=\s)")
_DAMAGE = re.compile(
    r"(?P<cause>(?:EOFException|ZipException|ChecksumException|FileNotFoundException|AccessControlException)[^\n]*"
    r"|IOException: (?:invalid|incorrect|too many|unknown|gzip|stored gzip|not a gzip) [^\n]*"
    r"|File does not exist[^\n]*|IllegalArgumentException: java\.net\.URISyntaxException[^\n]*)"
)
"""Failures that reading again will not cure, such as a name that Hadoop cannot take; a lost connection is not one."""
_CONSTRAINT = re.compile(
    r"\[DELTA_(?:VIOLATE_CONSTRAINT_WITH_VALUES|NOT_NULL_CONSTRAINT_VIOLATED|EXCEED_CHAR_VARCHAR_LIMIT)\] "
    r"(?P<words>.*?)(?=\n\s+at |\nCaused by|\nDriver stacktrace|\nJVM stacktrace| SQLSTATE|\Z)",
    re.DOTALL,
)
"""What Delta says of a row that breaks a rule of the table, which goes over several lines."""
_TIME_OVERFLOW = re.compile(
    r"ArithmeticException: long overflow(?:\s+at [^\n]+)*?\s+at [^\n]+\.KafkaRecordToRowConverter"
)
_CONDITIONS = re.compile(r"\[[A-Z][A-Z0-9_.]+\] [^\n]*")
_CAUSES = re.compile(r"^Caused by: ([^\n]*)", re.MULTILINE)
_CONDITION = re.compile(r"^: org\.apache\.spark\.\S+: \[(?P<name>[A-Z0-9_.]+)\]", re.MULTILINE)
"""Spark's condition of a Java error that PySpark has not converted, as Py4J prints it."""
_MISSING_PATH = "PATH_NOT_FOUND"
_MISSING_TABLE = (_MISSING_PATH, "DELTA_TABLE_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND")
_UNSUPPORTED_TABLE = re.compile(
    r"\[DELTA_(?:INVALID_PROTOCOL|UNSUPPORTED_FEATURES_FOR|READ_FEATURE_PROTOCOL)_\w+\][^\n]*|Mismatched min[^\n]*"
)
_QUERY_DETAILS = "\n=== Streaming Query ==="

Result = TypeVar("Result")


class Refusal(NamedTuple):
    """Why a table does not take a row.

    Attributes:
        words: the engine's, in one line.
        is_constraint: whether that is a rule of the table.
    """

    words: str
    is_constraint: bool


class WorkerCrashError(Exception):
    """Raised when a Python worker has died."""


class WorkerSilentError(WorkerCrashError):
    """Raised when Spark has ended a Python worker that was silent for longer than it may be."""


class TooManyError(Exception):
    """Raised when a task has met more failures of a model than it may."""


class DamagedFile(NamedTuple):
    """A file that cannot be read, and why.

    Attributes:
        path: the file, as Spark's column ``_metadata.file_path`` names it.
        cause: what is wrong with it, in one line.
    """

    path: str
    cause: str


def transient_cause(error: BaseException | None) -> str | None:
    """Return what has failed, in one line, if trying again may help."""
    if isinstance(error, ModelUnavailableError | SourceUnavailableError | WorkerLostError):
        return gist(error)
    if error and type(error).__module__.startswith("delta.exceptions."):  # they do not carry their Java class
        return f"{type(error).__name__}: {gist(error)}"
    if not isinstance(error, SPARK_ERRORS):
        return None
    for java_error in _java_causes(error):
        if any(_TRANSIENT_CLASSES.fullmatch(name) for name in _class_names(java_error)):
            message = (java_error.getMessage() or "").strip().partition("\n")[0]
            return f"{java_error.getClass().getSimpleName()}: {message}"
    found = _TRANSIENT_TEXTS.search(str(error))
    return _line_of(str(error), found.start()).rpartition(UNAVAILABLE)[2] if found else None


def root_cause(error: Py4JJavaError) -> str:
    """Return the class and the message of the Java error that all others were raised for."""
    *_, cause = _java_causes(error)
    return f"{cause.getClass().getSimpleName()}: {cause.getMessage()}"


def model_failures(error: BaseException) -> str | None:
    """Return on how much the model has failed, if a task has ended because that was too much."""
    found = _TOO_MANY_FAILURES.search(str(error))
    return found["what"] if found else None


def worker_crash(error: BaseException) -> str | None:
    """Return what Spark says of a Python worker that has died, if that is why a task has failed."""
    found = _CRASH.search(str(error))
    return found[0] if found else None


def model_fault(error: BaseException) -> str | None:
    """Return what is wrong with a model that was tried in the Python workers, if the model is to blame at all."""
    found = _MODEL_FAULT.search(str(error))
    return (found["what"] or found[0]) if found else None


def guarded(action: Callable[[], Result]) -> Result:
    """Run a Spark job; distinguish the failures that have to do with the model from the others.

    Raises:
        TooManyError: if a task has met more failures than it may.
        WorkerSilentError: if a Python worker was ended for its silence.
        WorkerCrashError: if a Python worker has died.
    """
    try:
        return action()
    except SPARK_ERRORS as error:
        if what := model_failures(error):
            raise TooManyError(what) from error
        if _SILENT in str(error):
            raise WorkerSilentError(_SILENT) from error
        if crash := worker_crash(error):
            raise WorkerCrashError(crash) from error
        raise


def damaged_file(error: BaseException) -> DamagedFile | None:
    """Return which file is to blame for a failure, if one is, and reading it again would not help."""
    if not isinstance(error, SPARK_ERRORS):
        return None
    file, damage = _READ_FAILED.search(str(error)), _DAMAGE.search(str(error))
    if not file or not damage:
        return None
    # The error writes local paths as file:///, the metadata of a file as file:/.
    return DamagedFile(file["path"].replace("file:///", "file:/", 1), damage["cause"])


def is_time_overflow(error: BaseException) -> bool:
    """Tell whether a record of Kafka has a time that Spark cannot hold."""
    return isinstance(error, SPARK_ERRORS) and bool(_TIME_OVERFLOW.search(str(error)))


def row_refusal(error: BaseException) -> Refusal | None:
    """Return why rows could not be written, if that may lie in some of them: what the table, or the engine, says."""
    # First, as what the table says has the values of the row in it, which may read like anything.
    if found := _CONSTRAINT.search(str(error)):
        return Refusal(" ".join(found["words"].split()), is_constraint=True)
    is_of_source = damaged_file(error) or is_time_overflow(error)
    if transient_cause(error) or is_of_source or isinstance(error, AnalysisException):
        return None
    return Refusal(engine_words(error), is_constraint=False)


def engine_words(error: BaseException) -> str:
    """Return what a failure says for itself, in one line: the innermost condition or cause, without the trace."""
    text = str(error)
    for pattern in (_CONDITIONS, _CAUSES):
        if found := pattern.findall(text):
            return str(found[-1]).strip()
    return f"{type(error).__name__}: {root_cause(error) if isinstance(error, Py4JJavaError) else gist(error)}"


def is_wrong_checksum(error: BaseException) -> bool:
    """Tell whether a file is not what its checksum, which Hadoop keeps next to it, was made of."""
    return "ChecksumException" in str(error)


def is_missing_path(error: BaseException) -> bool:
    """Tell whether there is nothing at a path that was to be read."""
    return _condition(error) == _MISSING_PATH


def is_file_not_found(error: Py4JJavaError) -> bool:
    """Tell whether Hadoop found no file or folder at a path, or lost it while it was read."""
    return any("java.io.FileNotFoundException" in _class_names(cause) for cause in _java_causes(error))


def is_missing_table(error: BaseException) -> bool:
    """Tell whether there is no such table, by path or by name."""
    return _condition(error) in _MISSING_TABLE


def unsupported_table(error: BaseException) -> str | None:
    """Return what a table asks for, if that is more than this version of Delta can do, or nothing that it knows."""
    found = _UNSUPPORTED_TABLE.search("\n".join([str(error), *(str(e.getMessage()) for e in _java_causes(error))]))
    return found[0] if found else None


def failure_of(error: StreamingQueryException) -> str:
    """Return why a streaming query has failed, without its state and its plan."""
    return str(error).partition(_QUERY_DETAILS)[0]


def _condition(error: BaseException) -> str | None:
    if isinstance(error, PySparkException):
        return error.getCondition()
    found = _CONDITION.search(str(error)) if isinstance(error, Py4JJavaError) else None
    return found["name"] if found else None


def _java_causes(error: Any) -> Iterator[Any]:
    cause = error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)
    while cause is not None:
        yield cause
        cause = cause.getCause()


def _class_names(java_error: Any) -> Iterator[str]:
    java_class = java_error.getClass()
    while java_class is not None:
        yield java_class.getName()
        java_class = java_class.getSuperclass()


def _line_of(text: str, position: int) -> str:
    begin, end = text.rfind("\n", 0, position) + 1, text.find("\n", position)
    return text[begin : end if end >= 0 else len(text)].strip().removeprefix(": ")  # as Py4J writes the Java error
