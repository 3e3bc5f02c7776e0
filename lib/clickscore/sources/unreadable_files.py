"""Files that cannot be read: distinguished from other failures of the stream, and rejected as a whole."""

from clickscore.spark_errors import damaged_file


class UnreadableFileError(Exception):
    """Raised into the stream when a file of the micro-batch cannot be read; the run goes on without that file."""

    def __init__(self, batch_id: int, path: str, cause: str) -> None:
        """Keep which file it is and what is wrong with it."""
        self.batch_id, self.path, self.cause = batch_id, path, cause
        super().__init__(f"{path}: {cause}")


def as_unreadable_file(error: Exception, batch_id: int) -> UnreadableFileError | None:
    """Return which file is to blame for a failure, if one is, and reading it again would not help."""
    file = damaged_file(error)
    return UnreadableFileError(batch_id, *file) if file else None
