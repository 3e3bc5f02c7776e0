"""The product as an arm."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pyarrow as pa
from benchmarks.common.paths import places
from benchmarks.throughput.entrants import Arm, table_scores
from benchmarks.throughput.load import BATCH, Load, Setting
from rich.console import Console

from clickscore.config.run import Config, load
from clickscore.session import build_session
from clickscore.stream import app


class Product:
    """The main job as users run it, over again in one session: the JVM is warm."""

    def __init__(self, setting: Setting, _: Path, is_kafka: bool = False) -> None:
        """Start the session, with the settings of ``spark-defaults.conf``."""
        self._setting, self._is_kafka = setting, is_kafka
        self.spark = build_session("benchmark")

    def config(self, task: Load, out: Path) -> Config:
        """Return the configuration of a run."""
        if self._is_kafka:
            file, servers = "conf/kafka.yaml", self._setting.servers
            source = f"bootstrap_servers: '{servers}', topics: [{task.topic}], start: earliest, max_records: {BATCH}"
            kind = "kafka"
        else:
            file, kind, source = "conf/local.yaml", "folder", f"path: {task.folder}, max_bytes: {task.max_bytes}"
        registry = f"model.registry={self._setting.registry}"
        return load(Path(file), [*places(out), registry, f"source={{kind: {kind}, {source}}}"])

    def run(self, task: Load, out: Path) -> None:
        """Run the job once, with new tables and a new checkpoint."""
        app.run(self.config(task, out), lambda: self.spark, Console(file=StringIO()))

    def scores(self, out: Path) -> pa.Table | None:
        """Return what is in ``scored_clicks``."""
        return table_scores(out)


ARMS: dict[str, Callable[[Setting, Path], Arm]] = {
    "product": Product,
    "product_kafka": lambda setting, home: Product(setting, home, is_kafka=True),
}
