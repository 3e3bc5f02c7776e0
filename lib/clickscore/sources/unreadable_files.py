"""Files that cannot be read: distinguished from other failures of the stream, and rejected as a whole."""

from collections.abc import Callable

from clickscore.errors import StreamError
from clickscore.spark_errors import damaged_file

GONE = "moved or deleted before it was read"
"""Cause of a file that was planned to be read, and was not there any more."""


class UnreadableFileError(Exception):
    """Raised into the stream when a file of the micro-batch cannot be read; the run goes on without that file."""

    def __init__(self, batch_id: int, path: str, cause: str) -> None:
        """Keep which file it is and what is wrong with it."""
        self.batch_id, self.path, self.cause = batch_id, path, cause
        super().__init__(f"{path}: {cause}")


def as_unreadable_file(
    error: Exception, batch_id: int, has_taken: Callable[[str], bool]
) -> UnreadableFileError | StreamError | None:
    """Return which file is to blame for a failure, if one is, and reading it again would not help.

    Args:
        error: the failure.
        batch_id: the micro-batch.
        has_taken: tells whether a file is one that the source has brought, so that the stream can do without it; any
            other one, such as a data file of a table, cannot be passed over, and is a reason to stop.
    """
    file = damaged_file(error)
    if not file:
        return None
    if has_taken(file.path):
        return UnreadableFileError(batch_id, *file)
    return StreamError(
        f"batch {batch_id}: {file.path} cannot be read: {file.cause}. It is a data file of a Delta table. If VACUUM "
        f"has removed it from an output table, start again: the table as it is now is enough. If it is of the source, "
        f"restore it from a copy, and start again; or start over with a new checkpoint and new tables. Let VACUUM keep "
        f"files for longer than the stream may be behind."
    )
