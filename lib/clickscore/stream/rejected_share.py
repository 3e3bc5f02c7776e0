"""How much is rejected: a warning when it is most of what comes, and the limit that ends a run before it is written."""

from dataclasses import dataclass

import pyarrow as pa

from clickscore.console import visible
from clickscore.errors import StreamError
from clickscore.monitoring.report import Report
from clickscore.samples.wrappings import recognise
from clickscore.stream.batch_counts import BatchCounts

LEAST_RECORDS = 100
"""Records from which on a share says something: of five, three bad ones are no sign."""
EXAMPLE_CHARS = 160


class RejectLimitError(StreamError):
    """Raised when too much of a micro-batch is rejected; nothing of it has been written."""


@dataclass(frozen=True)
class RejectLimit:
    """How much of a micro-batch may be rejected.

    Attributes:
        share: of its records without the duplicates; 1 for all.
        click: the fields of a click, to find out what is wrong with an example.
        quotes: whether the message may quote the example; not where rules of privacy protect fields of a click.
    """

    share: float
    click: pa.Schema
    quotes: bool = True

    def refusal(self, counts: BatchCounts, batch_id: int) -> RejectLimitError | None:
        """Return the error that ends the run, if there is too much rejected among ``LEAST_RECORDS`` records or more."""
        records = counts.read - counts.duplicates
        if records < LEAST_RECORDS or counts.rejected <= self.share * records:
            return None
        found = describe(counts.rejected, records, counts.cause, counts.example, self.click, self.quotes)
        return RejectLimitError(
            f"batch {batch_id}: more is rejected than reject_limit ({self.share:.0%}) allows: {found}. Nothing of this "
            f"micro-batch was written, and the next start tries it again: fix the configuration, or raise the "
            f"limit, and start again."
        )


NO_LIMIT = RejectLimit(1.0, pa.schema([]))
"""All may be rejected."""


@dataclass
class RejectWarning:
    """Looks at the share of rejected records; small micro-batches are taken together.

    Attributes:
        share: from which on a person should know.
        click: the fields of a click, to find out what is wrong with an example.
        quotes: whether the warning may quote the example; not where rules of privacy protect fields of a click.
    """

    share: float
    click: pa.Schema
    quotes: bool = True
    _records: int = 0
    _rejected: int = 0
    _example: Report | None = None
    _is_told: bool = False

    def add(self, done: Report) -> str | None:
        """Take a micro-batch into account; return the warning, once until the share has fallen again."""
        self._records += done.read - (done.duplicates or 0)
        self._rejected += done.rejected
        self._example = done if done.cause is not None else self._example
        if self._records < LEAST_RECORDS:
            return None
        records, rejected = self._records, self._rejected
        self._records = self._rejected = 0
        was_told, self._is_told = self._is_told, rejected > self.share * records
        if was_told or not self._is_told:
            return None
        cause, example = (self._example.cause, self._example.example) if self._example else (None, None)
        return describe(rejected, records, cause, example, self.click, self.quotes)


def describe(
    rejected: int, records: int, cause: str | None, example: bytes | None, click: pa.Schema, quotes: bool = True
) -> str:
    """Say how much was rejected, most often why, with an example, and what to do about it."""
    said = f"{rejected:,} of {records:,} records ({rejected / records:.0%}) were rejected"
    said += f", most often {visible(cause)}" if cause else ""
    said += f"; for example {_beginning(example)}" if example and quotes else ""
    if example and (wrapping := recognise(example, click, names_inner=quotes)):
        return f"{said}. In this example, {wrapping}"
    return f"{said}. Do they fit the click schema? jobs/try_clicks.py shows what becomes of a sample, and why"


def _beginning(record: bytes) -> str:
    text = visible(record[: 4 * EXAMPLE_CHARS].decode("utf-8", "backslashreplace"))
    return text if len(text) <= EXAMPLE_CHARS else f"{text[:EXAMPLE_CHARS]}…"
