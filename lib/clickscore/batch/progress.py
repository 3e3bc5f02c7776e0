"""The progress of a batch on the console: a line for each chunk, and a bar on a terminal."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from clickscore.console import counted
from clickscore.monitoring.report import Report


class ChunkLines:
    """Prints the chunks and adds them up."""

    def __init__(self, console: Console, chunks: int) -> None:
        """Begin with the number of chunks."""
        self._console, self._chunks = console, chunks
        self._done = self._read = self._scored = self._rejected = 0
        self._bar = Progress(
            TextColumn("  batch"), BarColumn(), MofNCompleteColumn(), TextColumn("chunks"), TimeRemainingColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("chunks", total=chunks)

    def __enter__(self) -> "ChunkLines":
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        """Remove the bar."""
        self._bar.stop()

    def report(self, done: Report) -> None:
        """Print the line of a chunk, and move the bar on."""
        self._bar.advance(self._task)
        self._done += 1
        self._read += done.read
        self._scored += done.scored
        self._rejected += done.rejected
        self._console.print(
            f"chunk {self._done:>4} of {self._chunks}  {done.read:>9,} in  {done.scored:>9,} scored  "
            f"{done.rejected:>6,} rejected  {done.read / max(done.seconds, 1e-3):>9,.0f} clicks/s  "
            f"{done.model_name} v{done.model_version}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )

    def summary(self, seconds: float) -> str:
        """Return what all chunks have done together, in words."""
        return (
            f"{counted(self._read, 'record')} in {counted(self._done, 'chunk')} and {seconds:,.0f} s: "
            f"{self._scored:,} scored, {self._rejected:,} rejected."
        )
