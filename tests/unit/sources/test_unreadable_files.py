from pyspark.errors import PySparkException

from clickscore.errors import StreamError
from clickscore.sources.unreadable_files import UnreadableFileError, as_unreadable_file

READ_FAILED = (
    "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///landing/a.jsonl.gz. SQLSTATE: KD001"
)


def test_damaged_file_is_named_with_its_micro_batch() -> None:
    error = PySparkException(f"Job aborted: {READ_FAILED}\nCaused by: java.io.EOFException: cut off\n\tat somewhere")
    found = as_unreadable_file(error, 3, lambda path: path == "file:/landing/a.jsonl.gz")
    assert isinstance(found, UnreadableFileError)
    assert (found.batch_id, found.path, found.cause) == (
        3, "file:/landing/a.jsonl.gz", "EOFException: cut off")  # fmt: skip


def test_failure_of_something_else_is_no_unreadable_file() -> None:
    assert as_unreadable_file(ValueError(READ_FAILED), 3, lambda _: True) is None


def test_file_that_is_not_the_source_s_is_never_passed_over() -> None:
    error = PySparkException(f"Job aborted: {READ_FAILED}\nCaused by: java.io.FileNotFoundException: gone\n\tat there")
    found = as_unreadable_file(error, 3, lambda _: False)
    assert isinstance(found, StreamError)
    assert str(found).startswith("batch 3: file:/landing/a.jsonl.gz cannot be read: FileNotFoundException: gone. It is")
