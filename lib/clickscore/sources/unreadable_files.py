"""Files that cannot be read: told apart from other failures of the stream, and rejected as a whole."""

import re

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

_UNREADABLE = re.compile(r"\[FAILED_READ_FILE[^\]]*\] Encountered error while reading file (?P<path>\S+?)\.(?=\s)")
_DAMAGE = re.compile(
    r"(?P<cause>(?:EOFException|ZipException|ChecksumException|FileNotFoundException|AccessControlException)[^\n]*"
    r"|IOException: (?:invalid|incorrect|too many|unknown|gzip|stored gzip|not a gzip) [^\n]*"
    r"|File does not exist[^\n]*)"
)
"""Failures that reading again will not cure; a time-out or a lost connection is not among them and fails the run."""


class UnreadableFileError(Exception):
    """Raised into the stream when a file of the micro-batch cannot be read; the run goes on without that file."""

    def __init__(self, batch_id: int, path: str, cause: str) -> None:
        """Keep which file it is and what is wrong with it."""
        self.batch_id, self.path, self.cause = batch_id, path, cause
        super().__init__(f"{path}: {cause}")


def as_unreadable_file(error: Exception, batch_id: int) -> UnreadableFileError | None:
    """Return which file is to blame for a failure, if one is, and reading it again would not help."""
    if not isinstance(error, PySparkException | Py4JJavaError):
        return None
    file, damage = _UNREADABLE.search(str(error)), _DAMAGE.search(str(error))
    if not file or not damage:
        return None
    # The error writes local paths as file:///, the metadata of a file as file:/.
    return UnreadableFileError(batch_id, file["path"].replace("file:///", "file:/", 1), damage["cause"])
