"""The product as an arm, and its floors: what parsing and writing cost without the rest, by its own functions."""

from collections.abc import Callable
from datetime import datetime, timezone
from io import StringIO
from pathlib import Path

import pyarrow as pa
from benchmarks.common.paths import places
from benchmarks.throughput.entrants import SCORED, Arm, table_scores
from benchmarks.throughput.load import BATCH, Load, Setting
from clickscore.stream.rows import FAILURE, PREDICTED_COLUMN, Stamp
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console

from clickscore.config.run import Config, load
from clickscore.scoring.contract import read_contract
from clickscore.scoring.parsing import parse
from clickscore.session import build_session
from clickscore.sources.kinds import kind_of
from clickscore.storage import schemas
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch
from clickscore.stream import app, pipeline
from clickscore.stream.pipeline import Contract

CONSTANT = 0.5
"""Stands in the place of a score."""
STREAM = "floor"
"""Stands in the place of the id of the query, which binds a table to its stream."""


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


class SparkFloor(Product):
    """The same stream, parsed and written in the same way; a constant is the score, and no rejected record is kept."""

    def run(self, task: Load, out: Path) -> None:
        """Parse all clicks and write them."""
        config = self.config(task, out)
        contract, table = read_contract(config), Table(str(out / SCORED))
        shape = schemas.scored_clicks(contract.click, contract.kept, contract.scores)
        table.create(self.spark, shape, [contract.time, contract.visitor, "batch_id"], {STREAM_PROPERTY: STREAM})

        def write(raw: DataFrame, batch_id: int) -> None:
            table.append(_with_constant(raw, contract, batch_id), of_batch(STREAM, batch_id))

        self._stream(config, write)

    def _stream(self, config: Config, write: Callable[[DataFrame, int], None]) -> None:
        rows = kind_of(config.source).read_stream(self.spark, config.source)
        writer = rows.writeStream.option("checkpointLocation", config.checkpoint)
        writer.trigger(availableNow=True).foreachBatch(write).start().awaitTermination()


def _with_constant(raw: DataFrame, contract: Contract, batch_id: int) -> DataFrame:
    clicks = pipeline.accepted(raw.transform(parse, contract.click))
    score = F.struct(F.lit(CONSTANT).alias("score"), F.lit(None).cast("string").alias(FAILURE))
    stamp = Stamp(batch_id, F.lit(datetime.now(timezone.utc)), "constant", "0")
    return pipeline.scored(clicks.withColumn(PREDICTED_COLUMN, score), contract, stamp)


class ParseFloor(SparkFloor):
    """The same stream, parsed, and nothing else."""

    def run(self, task: Load, out: Path) -> None:
        """Parse all clicks."""
        config = self.config(task, out)
        click = read_contract(config).click
        self._stream(config, lambda raw, _: raw.transform(parse, click).write.format("noop").mode("append").save())

    def scores(self, _: Path) -> pa.Table | None:
        """Return nothing: no row is kept."""
        return None


ARMS: dict[str, Callable[[Setting, Path], Arm]] = {
    "product": Product,
    "product_kafka": lambda setting, home: Product(setting, home, is_kafka=True),
    "spark_floor": SparkFloor,
    "parse_floor": ParseFloor,
}
