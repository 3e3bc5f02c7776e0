"""The two systems under test, each a process of its own, with tables and a checkpoint of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from benchmarks.common.paths import places
from benchmarks.latency.processes import Target

PRODUCT, RECIPE = "product", "recipe"
SYSTEMS = (PRODUCT, RECIPE)
AS_FAST_AS_POSSIBLE = "0 seconds"
"""The next micro-batch begins when the one before is done: Spark's default trigger, and so that of the recipe."""
STOP_PATIENCE_S = 60
"""A micro-batch in flight is finished first."""
LOG_LINES = 20


class UnderTestError(Exception):
    """Raised when a system under test ends before its time, or does not end well."""


@dataclass(frozen=True)
class System:
    """A system under test.

    Attributes:
        name: ``product`` or ``recipe``.
        home: folder with its tables, its checkpoint and its log.
        target: where its clicks come from.
        registry: where its model is registered.
        has_durations: whether it writes down what its micro-batches spend their time on.
    """

    name: str
    home: Path
    target: Target
    registry: str
    has_durations: bool = False

    @property
    def table(self) -> Path:
        """The table of scored clicks."""
        return self.home / "scored_clicks"

    @property
    def durations(self) -> Path:
        """Where the durations of its micro-batches are."""
        return self.home / "durations.jsonl"

    @contextmanager
    def running(self) -> Iterator["psutil.Popen"]:
        """Run it; at the end ask it to stop, and make sure that nothing of it is left.

        Raises:
            UnderTestError: if it does not end well; with the end of its log.
        """
        self.home.mkdir(parents=True)
        with self._log.open("wb") as log:
            # Ctrl-C is for the benchmark, which then stops it.
            process = psutil.Popen(
                self._command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self._environment(),
                start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        except BaseException:
            _end(process)
            raise
        if _end(process):
            raise self.failure()

    def failure(self) -> UnderTestError:
        """Return what went wrong, as its log tells."""
        tail = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        return UnderTestError("\n".join([f"the {self.name} has failed; the end of its log:", *tail]))

    @property
    def _log(self) -> Path:
        return self.home / "log"

    def _command(self) -> list[str]:
        arguments = self._product() if self.name == PRODUCT else self._recipe()
        durations = ["--durations", str(self.durations)] if self.has_durations else []
        return [sys.executable, *arguments, *durations]

    def _product(self) -> list[str]:
        target = self.target
        if target.folder:
            config, source = "conf/local.yaml", [f"source.path={target.folder}"]
        else:
            config = "conf/kafka.yaml"
            source = [f"source.bootstrap_servers={target.servers}", f"source.topics=[{target.topic}]"]
        program = ["-m", "benchmarks.latency.product"] if self.has_durations else ["jobs/score_stream.py"]
        settings = [*places(self.home), *source, f"model.registry={self.registry}", f"trigger={AS_FAST_AS_POSSIBLE}"]
        return [*program, "--config", config, *(word for setting in settings for word in ("--set", setting))]

    def _recipe(self) -> list[str]:
        target = self.target
        source = (
            ["--folder", str(target.folder)]
            if target.folder
            else ["--servers", target.servers, "--topic", target.topic]
        )
        output = ["--table", str(self.table), "--checkpoint", str(self.home / "checkpoint")]
        program = ["-m", "benchmarks.latency.recipe"]
        return [*program, "--registry", self.registry, *source, *output]

    def _environment(self) -> dict[str, str]:
        if self.name == PRODUCT:
            return dict(os.environ)
        nothing = self.home / "no-settings"
        nothing.mkdir()
        # PySpark would find our settings in its own folder.
        return {**os.environ, "SPARK_CONF_DIR": str(nothing), "PYSPARK_PYTHON": sys.executable}


def _end(process: "psutil.Popen") -> int:
    """End a process and all that it has started; return its exit status."""
    family = _family(process)
    if process.poll() is None:
        process.terminate()
    try:
        status = int(process.wait(STOP_PATIENCE_S))
    except psutil.TimeoutExpired:
        process.kill()
        status = int(process.wait())
    for child in family:
        if child.is_running():
            child.kill()
    return status


def _family(process: "psutil.Popen") -> list[psutil.Process]:
    try:
        return list(process.children(recursive=True))
    except psutil.NoSuchProcess:
        return []
