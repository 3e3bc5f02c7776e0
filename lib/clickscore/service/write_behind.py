"""Write-behind: raw records that were scored go to a landing folder, from which a stream takes them into the tables.

It is never on the path of a request: records are handed over in memory, and a thread writes them. What cannot be
written is counted and lost, because the client has its answer already.
"""

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

FLUSH_S = 1.0
"""How long a record waits at most until it is written."""
FLUSH_RECORDS = 10_000
"""With so many, it waits no longer."""
MOST_RECORDS = 200_000
"""Records that wait while the disk is slow; those beyond are lost."""


class WriteBehind:
    """Appends records to a landing folder, as files that appear whole.

    Attributes:
        written: records that were written.
        lost: records that could not be written.
    """

    def __init__(self, folder: Path, tell: Callable[[str], None]) -> None:
        """Begin with nothing.

        Args:
            folder: the landing folder; it is made when the first file is.
            tell: tells a person.
        """
        self._folder, self._tell = folder, tell
        self._records: list[bytes] = []
        self._lock = threading.Lock()
        self._is_due, self._is_over = threading.Event(), False
        self._is_failing = False
        self.written = self.lost = 0
        self._thread = threading.Thread(target=self._run, name="write-behind", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, records: Iterable[bytes]) -> None:
        """Take records that were scored; returns at once."""
        lines = [record.replace(b"\r", b" ").replace(b"\n", b" ") for record in records]  # white space between tokens
        with self._lock:
            room = MOST_RECORDS - len(self._records)
            self._records += lines[:room]
            self.lost += max(len(lines) - room, 0)
            if len(self._records) >= FLUSH_RECORDS:
                self._is_due.set()

    def stop(self) -> None:
        """Write what is left."""
        self._is_over = True
        self._is_due.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over:
            self._is_due.wait(FLUSH_S)
            self._is_due.clear()
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            records, self._records = self._records, []
        if not records:
            return
        try:
            self._write(records)
        except OSError as error:
            self.lost += len(records)
            if not self._is_failing:
                self._tell(f"service.write_behind: {self._folder} cannot be written to, scored records are lost: "
                           f"{error.strerror}; make room, or give the service the right to write there")  # fmt: skip
            self._is_failing = True
            return
        self.written += len(records)
        if self._is_failing:
            self._tell(f"service.write_behind: {self._folder} takes records again; {self.lost:,} were lost")
        self._is_failing = False

    def _write(self, records: list[bytes]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"served-{time.time_ns() // 1_000_000}-{uuid.uuid4().hex[:8]}.jsonl"
        aside = self._folder / f".{name}"  # a stream does not see what begins with a dot
        try:
            with aside.open("wb") as file:
                file.write(b"\n".join(records) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            aside.rename(self._folder / name)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
