"""The floors of the product as arms: what decoding and writing cost without the rest, by its own functions."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
from benchmarks.common.partial_scorer import without_model
from benchmarks.throughput.arms.product import Product
from benchmarks.throughput.entrants import SCORED, Arm
from benchmarks.throughput.load import Load, Setting
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from clickscore.config.run import Config
from clickscore.sources.kinds import kind_of
from clickscore.storage.table import STREAM_PROPERTY, Table, of_batch
from clickscore.stream import pipeline
from clickscore.stream.definition import read_definition
from clickscore.stream.pipeline import Stamp

STREAM = "floor"
"""Stands in the place of the stream's id, which binds a table to its stream."""


class SparkFloor(Product):
    """The same stream, decoded and written in the same way; a constant is the score, and no rejected record is kept."""

    def run(self, task: Load, out: Path) -> None:
        """Decode all clicks and write them."""
        config = self.config(task, out)
        definition, table = read_definition(config), Table(str(out / SCORED))
        layout, decode = definition.layout, without_model(definition.contract)
        statistics = [layout.time, layout.visitor, "batch_id"]
        table.create(self.spark, layout.scored, statistics, {STREAM_PROPERTY: STREAM})

        def write(raw: DataFrame, batch_id: int) -> None:
            stamp = Stamp(batch_id, F.lit(datetime.now(timezone.utc)), "constant", "0")
            rows = pipeline.scored(pipeline.with_outcomes(raw, decode), layout, stamp)
            table.append(rows, of_batch(STREAM, batch_id))

        self.stream(config, write)

    def stream(self, config: Config, write: Callable[[DataFrame, int], None]) -> None:
        """Hand over all micro-batches of the source."""
        raw = kind_of(config.source).read_stream(self.spark, config.source)
        writer = raw.writeStream.option("checkpointLocation", config.checkpoint)
        writer.trigger(availableNow=True).foreachBatch(write).start().awaitTermination()


class ParseFloor(SparkFloor):
    """The same stream, decoded, and nothing else."""

    def run(self, task: Load, out: Path) -> None:
        """Decode all clicks."""
        config = self.config(task, out)
        decode = without_model(read_definition(config).contract)

        def drop(raw: DataFrame, _: int) -> None:
            pipeline.with_outcomes(raw, decode).write.format("noop").mode("append").save()

        self.stream(config, drop)

    def scores(self, _: Path) -> pa.Table | None:
        """Return nothing: no row is kept."""
        return None


ARMS: dict[str, Callable[[Setting, Path], Arm]] = {"spark_floor": SparkFloor, "parse_floor": ParseFloor}
