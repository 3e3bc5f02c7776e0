"""The progress of a stream on the console: a line for each micro-batch, and a bar when the end is known."""

import time
from collections import Counter
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clickscore.console import warn
from clickscore.monitoring.report import Report

MICROSECONDS = 1_000_000
MOST_CAUSES = 2_000
"""Details of rejections that are counted apart: many of them quote the record, and a stream runs for months."""
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


class ProgressLines:
    """Prints the micro-batches and adds them up.

    Attributes:
        batches: micro-batches so far.
        read: records read so far.
        scored: clicks scored so far.
        rejected: records rejected so far.
        duplicates: clicks passed over so far because their id was seen before.
        failed: clicks among the rejected so far on which the model has failed.
        causes: the commonest reasons and details of the micro-batches, with the rejected records of those.
        newest_scored: number of the newest micro-batch with a scored click; None before there was one.
    """

    def __init__(self, console: Console, files: int | None = None) -> None:
        """Begin; with the number of files still to read, a terminal also gets a bar."""
        self.console = console
        self.batches = self.read = self.scored = self.rejected = self.duplicates = self.failed = 0
        self.causes: Counter[str] = Counter()
        self.newest_scored: int | None = None
        self._bar = Progress(
            TextColumn("  landing folder"), BarColumn(), MofNCompleteColumn(), TextColumn("files"),
            TimeRemainingColumn(), console=console, transient=True, disable=not (files and console.is_terminal),
        )  # fmt: skip
        self._task = self._bar.add_task("files", total=files)

    def __enter__(self) -> "ProgressLines":
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Remove the bar."""
        self._bar.stop()

    def warn(self, text: str) -> None:
        """Print what a person should know; called from any thread."""
        warn(self.console, text)

    def report(self, done: Report) -> None:
        """Print the line of a micro-batch, and move the bar on."""
        self._bar.advance(self._task, done.sources)
        self.batches += 1
        self.newest_scored = done.batch_id if done.scored else self.newest_scored
        self.read += done.read
        self.scored += done.scored
        self.rejected += done.rejected
        self.duplicates += done.duplicates or 0
        self.failed += done.failed
        if done.cause is not None:
            self.causes[done.cause] += done.failed or done.rejected
        if len(self.causes) > MOST_CAUSES:
            self.causes = Counter(dict(self.causes.most_common(MOST_CAUSES // 2)))
        duplicates = "" if done.duplicates is None else f"  {done.duplicates:>6,} duplicates"
        self.console.print(
            f"batch {done.batch_id:>4}  {done.read:>9,} in  {done.scored:>9,} scored  {done.rejected:>6,} rejected"
            f"{duplicates}  {done.read / max(done.seconds, 1e-3):>9,.0f} clicks/s  {_lag(done)}  "
            f"{done.model_name} v{done.model_version}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _lag(done: Report) -> str:
    if done.arrived_us is not None:
        return f"{age(done.arrived_us)} behind"
    return "no click" if done.newest_us is None else f"newest click {age(done.newest_us)} ago"


def age(time_us: int) -> str:
    """Return how long ago a time in microseconds since 1970 was, in the largest unit that leaves more than two."""
    seconds = time.time() - time_us / MICROSECONDS
    for unit, length in _UNITS:
        if abs(seconds) > 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:,.1f} s"
