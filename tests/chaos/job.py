"""The job under attack: ``score_stream.py``, or another one, as a process of its own, watched from outside."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

START_PATIENCE_S = 120
STOP_PATIENCE_S = 60
POLL_S = 0.05

QUICK_TO_START = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
"""A job that lives for seconds gains nothing from the JVM's second compiler, which takes half of its start."""


DAEMON = "clickscore.stream.worker_daemon"
"""What Spark forks Python workers from, by the settings for a laptop."""


class Job:
    """One process of the job, with everything that it has started."""

    def __init__(
        self, config: Path, log: Path, *arguments: str, env: Mapping[str, str] | None = None,
        script: str = "score_stream",
    ) -> None:  # fmt: skip
        """Start it."""
        self.log = log
        self._begin = log.stat().st_size if log.exists() else 0
        environment = {**os.environ, "JAVA_TOOL_OPTIONS": QUICK_TO_START, **(env or {})}
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, f"jobs/{script}.py", "--config", str(config), *arguments],
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True, env=environment,
            )  # fmt: skip

    @property
    def said(self) -> str:
        """What it has printed so far."""
        with self.log.open("rb") as file:
            file.seek(self._begin)
            return file.read().decode(errors="replace")

    @property
    def is_alive(self) -> bool:
        """Whether it runs, or is paused."""
        return self.process.poll() is None

    def family(self) -> list[psutil.Process]:
        """Return all its processes that are alive, itself first."""
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def java(self) -> list[psutil.Process]:
        """Return its Java processes: the driver's, then those of a cluster."""
        return [process for process in self.family() if _name(process) == "java"]

    def executors(self) -> list[psutil.Process]:
        """Return the executors of its cluster."""
        return [process for process in self.java() if "CoarseGrainedExecutorBackend" in _command(process)]

    def python_workers(self) -> list[psutil.Process]:
        """Return the Python workers of its tasks: children of the daemon that Spark forks them from."""
        daemons = [process for process in self.family() if DAEMON in _command(process)]
        return [process for process in daemons if DAEMON in _command(process.parent())]

    def kill(self) -> None:
        """End all of it at once, as a power cut does."""
        self.signal_all(signal.SIGKILL)
        self.process.wait()

    def pause(self) -> None:
        """Stop the clock for all of it."""
        self.signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self.signal_all(signal.SIGCONT)

    def signal_all(self, number: int) -> None:
        """Send a signal to each of its processes."""
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def stop(self) -> int:
        """Ask it to stop; return its exit status."""
        if self.is_alive:
            self.process.send_signal(signal.SIGTERM)
        return self.end(STOP_PATIENCE_S)

    def end(self, patience_s: float = START_PATIENCE_S) -> int:
        """Wait until it has ended by itself; return its exit status."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise UnsurvivedError(
                f"the job did not end within {patience_s} s; it said last: {self.last_words()}"
            ) from None

    def wait_for(self, text: str, patience_s: float = START_PATIENCE_S) -> None:
        """Wait until it has printed a text."""
        wait_until(lambda: text in self.said or not self.is_alive, f"the job to say {text!r}", patience_s)
        if text not in self.said:
            raise UnsurvivedError(f"the job has ended before it said {text!r}; it said last: {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of what it has printed."""
        return self.said[-600:]


class UnsurvivedError(Exception):
    """Raised when a fault had a consequence that it must not have."""


def wait_until(is_done: Callable[[], bool], what: str, patience_s: float, poll_s: float = POLL_S) -> None:
    """Wait for something to come true."""
    give_up = time.monotonic() + patience_s
    while not is_done():
        if time.monotonic() > give_up:
            raise UnsurvivedError(f"waited {patience_s:.0f} s for {what}, in vain")
        time.sleep(poll_s)


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


def _command(process: psutil.Process | None) -> str:
    try:
        return " ".join(process.cmdline()) if process else ""
    except psutil.NoSuchProcess:
        return ""
