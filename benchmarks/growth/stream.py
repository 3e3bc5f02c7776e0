"""A stream of small micro-batches: the product in this process, fed one landing file after the other."""

import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pyarrow as pa
from benchmarks.common.clicks import records
from benchmarks.common.durations import Batch, Durations
from benchmarks.common.paths import places
from pyspark.sql import SparkSession
from rich.console import Console

from clickscore.config.run import load
from clickscore.stream import app
from shopsim.landing import write_whole

CLICKS = 2_000
"""Clicks of a micro-batch: so few that its cost is mostly the fixed one."""
SETTLE = 5
"""Micro-batches at the start of a query that do not count: it reads the log of the table, and connects its workers."""
AS_FAST_AS_POSSIBLE = "0 seconds"
ALL_AT_ONCE = "1 GiB"
"""However many files have landed before the stream starts, they make one micro-batch."""
LOOK_S = 0.02
PATIENCE_S = 900
"""For one micro-batch; the longest is that of tens of thousands of files at once."""
SEED = 21
MOST_CLICKS = 100_000_000
"""More than any run takes: the simulator makes them as they are asked for."""


class GrowthError(Exception):
    """Raised when the stream does not do what it was fed for."""


class SmallStream:
    """The product over a landing folder, with tables and a checkpoint, all of its own."""

    def __init__(self, spark: SparkSession, home: Path, registry: str) -> None:
        """Make the folder.

        Args:
            spark: the session of all queries.
            home: where everything of the stream is.
            registry: where the model is registered.
        """
        self._spark, self._landing = spark, home / "landing"
        self._landing.mkdir(parents=True)
        settings = [f"source.path={self._landing}", f"source.max_bytes={ALL_AT_ONCE}", f"model.registry={registry}"]
        overrides = [*places(home), *settings, f"trigger={AS_FAST_AS_POSSIBLE}"]
        self._config = load(Path("conf/local.yaml"), overrides)
        self._portions: Iterator[pa.BinaryArray] = records(MOST_CLICKS, SEED, portion=CLICKS)
        self._numbers = itertools.count()
        self._backlog = 0

    @property
    def table(self) -> Path:
        """The table of scored clicks."""
        return Path(self._config.output.scored)

    def land_single_clicks(self, files: int) -> None:
        """Land files of one click each, before the stream runs: its first micro-batch takes them all."""
        self._backlog += files
        while files:
            clicks = next(self._portions)[:files]
            files -= len(clicks)
            for at in range(len(clicks)):
                self._land(clicks[at : at + 1])

    def land(self) -> None:
        """Land a file for one micro-batch."""
        self._land(next(self._portions))

    def run(self, batches: int) -> list[Batch]:
        """Score what has landed before, then ``SETTLE`` files and that many more, one after the other.

        Returns:
            The durations of the micro-batches of these ``batches`` files.

        Raises:
            GrowthError: if the stream was stopped before, or made other micro-batches of the files.
        """
        before = [self.committed + 1] if self._backlog else []
        self._backlog = 0
        first = self.committed + len(before) + 1
        feeder, durations = _Feeder(self, before, range(first, first + SETTLE + batches)), Durations()
        durations.watch(self._spark)
        feeder.start()
        try:
            app.run(self._config, lambda: self._spark, Console(file=StringIO()))
        finally:
            feeder.end()
            found = durations.finish()
        if not feeder.is_done or len(found) != len(before) + SETTLE + batches:
            raise GrowthError(f"expected {SETTLE + batches} micro-batches of one file, found {len(found)}")
        return found[-batches:]

    @property
    def committed(self) -> int:
        """The last micro-batch that is done, or -1."""
        log = Path(self._config.checkpoint, "commits")
        entries = log.iterdir() if log.exists() else iter(())
        return max((int(entry.name) for entry in entries if entry.name.isdecimal()), default=-1)

    def is_committed(self, batch: int) -> bool:
        """Tell whether a micro-batch is done."""
        return Path(self._config.checkpoint, "commits", str(batch)).exists()

    def _land(self, records: pa.BinaryArray) -> None:
        write_whole(self._landing / f"clicks-{next(self._numbers):07d}.jsonl", records)


class _Feeder:
    """Lands the next file when the micro-batch of the one before is done; then asks the stream to stop."""

    def __init__(self, stream: SmallStream, before: list[int], batches: range) -> None:
        """Prepare.

        Args:
            stream: what is fed.
            before: micro-batches to wait for before the first file.
            batches: those that get a file each.
        """
        self.is_done = False
        self._stream, self._before, self._batches = stream, before, batches
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._feed, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Land nothing more."""
        self._ended.set()
        self._thread.join()

    def _feed(self) -> None:
        self.is_done = all(map(self._is_committed, self._before)) and all(map(self._land, self._batches))
        if not self._ended.is_set():
            # How a person stops the job; `app.run` finishes what it is at.
            os.kill(os.getpid(), signal.SIGTERM)

    def _land(self, batch: int) -> bool:
        self._stream.land()
        return self._is_committed(batch)

    def _is_committed(self, batch: int) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while not self._stream.is_committed(batch):
            if self._ended.wait(LOOK_S) or time.monotonic() > deadline:
                return False
        return True
