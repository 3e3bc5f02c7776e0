"""The loop: looks every second, and shows what it sees until it is told to end."""

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.live import Live as Screen

from clickscore.config.run import Config, HealthEndpoint
from clickscore.errors import TableError
from clickscore.report.delta_tables import beside
from clickscore.watch.followed import Followed
from clickscore.watch.live import ask
from clickscore.watch.screen import line, panel
from clickscore.watch.view import View, view

EVERY_S = 1.0
NEWEST_METRICS = 100
"""Micro-batches whose rejected records are told by reason where the job does not answer."""
_YOUNGER = ["drifted"]
_COLUMNS = ["batch_id", "rejected_by_reason", "seconds_behind", "model_name", "model_version"]


@dataclass
class Watch:
    """Looks at a stream.

    Attributes:
        scored: ``scored_clicks``.
        rejected: ``rejected_clicks``.
        metrics: ``stream_metrics``.
        endpoint: where the job tells its metrics; None if it does not.
    """

    scored: Followed
    rejected: Followed
    metrics: Followed
    endpoint: HealthEndpoint | None
    _rows: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, config: Config, options: Mapping[str, str]) -> "Watch":
        """Return the watch over the stream of a configuration.

        Args:
            config: the run.
            options: of the storage of the tables, as delta-rs names them.

        Raises:
            TableError: if its tables have names in a catalog.
        """
        output = config.output
        for name in (output.scored, output.rejected):
            if "/" not in name:
                raise TableError(
                    f"{name} is the name of a table in a catalog; expected a path, as tables are watched without "
                    f"Spark. Name the paths with --set output.scored=PATH --set output.rejected=PATH; DESCRIBE DETAIL "
                    f"{name} shows its own as `location`."
                )
        return cls(
            Followed(output.scored, options), Followed(output.rejected, options),
            Followed(beside(output.scored, "stream_metrics"), options),
            config.health,
        )  # fmt: skip

    def look(self) -> View:
        """Return how the stream is now; a table that cannot be read is part of the answer."""
        trouble = None
        try:
            self.scored.look()
            self.rejected.look()
            if self.metrics.look():
                newest = max((commit.batch_id for commit in self.metrics.commits), default=0)
                self._rows = self.metrics.newest("batch_id", _COLUMNS, newest - NEWEST_METRICS, _YOUNGER)
        except TableError as error:
            trouble = str(error)
        found = view(
            self.scored.rows, self.rejected.rows, [*self.scored.commits, *self.rejected.commits], self._rows,
            ask(self.endpoint) if self.endpoint else None, datetime.now(timezone.utc),
        )  # fmt: skip
        return replace(found, trouble=trouble)


def run(config: Config, options: Mapping[str, str], console: Console, once: bool = False) -> None:
    """Show how a stream is, every second, until Ctrl-C or SIGTERM; on a terminal in place, elsewhere line by line.

    Args:
        config: the run.
        options: of the storage of its tables, as delta-rs names them.
        console: where it is shown.
        once: show it once, and end.

    Raises:
        TableError: if its tables have names in a catalog.
    """
    watch, title = Watch.of(config, options), config.output.scored
    with _ending_quietly():
        if once or not console.is_terminal:
            while True:
                console.print(line(watch.look()), highlight=False, markup=False, soft_wrap=True)
                if once:
                    return
                time.sleep(EVERY_S)
        with Screen(console=console, auto_refresh=False) as screen:
            while True:
                screen.update(panel(watch.look(), title), refresh=True)
                time.sleep(EVERY_S)


@contextmanager
def _ending_quietly() -> Iterator[None]:
    """Let SIGTERM and SIGINT, which is Ctrl-C, end the block, and not as an error."""
    # Both: a job that a shell has started in the background ignores SIGINT.
    ends = (signal.SIGTERM, signal.SIGINT)
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in ends]
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before:
            signal.signal(number, handler)
