"""What users write today as arms: the recipe with all defaults, and its common variant with foreachBatch."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import pyarrow as pa
from benchmarks.common.recipe import build_session, read_click, scoring
from benchmarks.throughput.entrants import SCORED, Arm, table_scores
from benchmarks.throughput.load import Load, Setting
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

SETTINGS = "spark.driver.memory 2g\nspark.sql.session.timeZone UTC\n"
"""All that is not a default, beside Delta's own: the driver has the memory of the product's, and hours are of UTC."""
CORRUPT = "_corrupt_record"
LINEAGE = ("source", "source_offset")


class Recipe:
    """`from_json`, `spark_udf` and `writeStream.format("delta")`: validates nothing, and has no `batch_id`."""

    def __init__(self, setting: Setting, home: Path) -> None:
        """Start the session, without our settings."""
        settings = home / "conf"
        settings.mkdir()
        (settings / "spark-defaults.conf").write_text(SETTINGS)
        os.environ |= {"SPARK_CONF_DIR": str(settings), "PYSPARK_PYTHON": sys.executable}
        mlflow.set_tracking_uri(setting.registry)
        self.spark = build_session()
        self.click = read_click()

    def run(self, load: Load, out: Path) -> None:
        """Score all clicks."""
        clicks = self.read(load).select(F.from_json("value", self.click).alias("click"), *LINEAGE)
        rows = scoring(self.spark)(clicks.select("click.*", *LINEAGE))
        writer = rows.writeStream.format("delta").option("checkpointLocation", str(out / "checkpoint"))
        writer.trigger(availableNow=True).start(str(out / SCORED)).awaitTermination()

    def read(self, load: Load) -> DataFrame:
        """Return the lines of all files, in micro-batches of the same size as the product's."""
        lines = self.spark.readStream.option("maxBytesPerTrigger", load.max_bytes).text(load.folder)
        no_offset = F.lit(None).cast("bigint").alias("source_offset")
        return lines.select("value", F.col("_metadata.file_path").alias("source"), no_offset)

    def scores(self, out: Path) -> pa.Table | None:
        """Return what is in the table."""
        return table_scores(out)


class RecipeForeachBatch(Recipe):
    """Parsed and kept with `persist`, split by `_corrupt_record` and required fields, appended to two tables."""

    def run(self, load: Load, out: Path) -> None:
        """Score all clicks, and keep what is none."""
        schema = T.StructType([*self.click.fields, T.StructField(CORRUPT, T.StringType())])
        click = F.from_json("value", schema, {"columnNameOfCorruptRecord": CORRUPT}).alias("click")
        parsed = self.read(load).select(click, "value", *LINEAGE).select("click.*", "value", *LINEAGE)
        scored = scoring(self.spark)
        is_good = F.col(CORRUPT).isNull()
        for field in self.click:
            is_good &= F.lit(True) if field.nullable else F.col(field.name).isNotNull()

        def write(rows: DataFrame, batch_id: int) -> None:
            rows.persist()
            number = F.lit(batch_id).cast("bigint").alias("batch_id")
            _append(scored(rows.where(is_good).select(*self.click.names, *LINEAGE, number)), out / SCORED)
            bad = rows.where(~is_good).select("value", *LINEAGE, F.current_timestamp().alias("received_at"), number)
            _append(bad, out / "rejected_clicks")
            rows.unpersist()

        writer = parsed.writeStream.foreachBatch(write).option("checkpointLocation", str(out / "checkpoint"))
        writer.trigger(availableNow=True).start().awaitTermination()


def _append(rows: DataFrame, table: Path) -> None:
    rows.write.format("delta").mode("append").save(str(table))


ARMS: dict[str, Callable[[Setting, Path], Arm]] = {"recipe": Recipe, "recipe_foreach_batch": RecipeForeachBatch}
