"""The process of an arm, as the main program sees it: commands go in, answers come out, its whole tree is measured."""

import json
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from benchmarks.common.cpu import CpuMeter, memory_bytes
from benchmarks.throughput.worker import OUT

SAMPLE_EVERY_S = 0.5
"""Time between two looks at a process tree; one look costs some milliseconds for each process in it."""
STOP_S = 20.0
"""How long a process may take to end by itself."""


class ArmError(Exception):
    """Raised when the process of an arm ends before its time."""


@dataclass(frozen=True)
class Sample:
    """What a process tree has taken at a moment: time of day, CPU-seconds so far, and bytes of memory."""

    time_s: float
    cpu_s: float
    memory: int


@dataclass
class Watch:
    """Samples a process tree while a block runs."""

    pid: int
    cpu: CpuMeter
    samples: list[Sample] = field(default_factory=list)

    def __enter__(self) -> "Watch":
        """Begin to look."""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look for the last time."""
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(SAMPLE_EVERY_S):
            self._look()

    def _look(self) -> None:
        self.samples.append(Sample(time.time(), self.cpu.seconds(), memory_bytes(self.pid)))


class ArmProcess:
    """One arm, alive from the first round to the last."""

    def __init__(self, name: str, setting: Path, home: Path, log: Path) -> None:
        """Start the process and wait until the arm is ready to run; what it says goes into the log."""
        self.name, self.home, self._log = name, home, log
        home.mkdir(parents=True)
        command = [sys.executable, "-m", "benchmarks.throughput.worker", name, str(setting), str(home)]
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, bufsize=1
            )
        self.pid = self._process.pid
        self.cpu = CpuMeter(self.pid)
        self._answer()

    @property
    def out(self) -> Path:
        """Folder with what the last run has written."""
        return self.home / OUT

    def watched(self) -> Watch:
        """Return a watch over the process and all below it."""
        return Watch(self.pid, self.cpu)

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command; return the answer.

        Raises:
            ArmError: with the end of the log, if the process has ended.
        """
        assert self._process.stdin
        self._process.stdin.write(f"{command}\n")
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
            raise ArmError(f"{self.name} has ended; the end of {self._log}:\n{tail}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def stop(self) -> None:
        """End the process, and whatever it has started and left behind."""
        family = psutil.Process(self.pid).children(recursive=True) if self._process.poll() is None else []
        assert self._process.stdin
        self._process.stdin.close()
        _, alive = psutil.wait_procs([psutil.Process(self.pid), *family] if family else family, STOP_S)
        for process in alive:
            process.kill()
        self._process.wait()
