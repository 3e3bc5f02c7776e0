import pytest
from pyspark.errors import PySparkException

from clickscore.sources.unreadable_files import as_unreadable_file

READ_FAILED = (
    "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///landing/a.jsonl.gz. SQLSTATE: KD001"
)


def failure(cause: str) -> PySparkException:
    return PySparkException(f"Job aborted: {READ_FAILED}\nCaused by: java.io.{cause}\n\tat somewhere")


def test_damaged_file_is_named_as_its_metadata_name_it() -> None:
    found = as_unreadable_file(failure("EOFException: Unexpected end of input stream"), 3)
    assert found is not None
    assert (found.batch_id, found.path) == (3, "file:/landing/a.jsonl.gz")
    assert found.cause == "EOFException: Unexpected end of input stream"


@pytest.mark.parametrize("error", [failure("IOException: connection reset"), ValueError(READ_FAILED),
                                   PySparkException("EOFException without a file")])  # fmt: skip
def test_failure_that_may_pass_is_no_unreadable_file(error: Exception) -> None:
    assert as_unreadable_file(error, 3) is None
