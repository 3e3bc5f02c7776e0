"""What users write today as arms: the recipe with all defaults, and its common variant with foreachBatch."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import mlflow
import pyarrow as pa
from benchmarks.latency.recipe import MODEL, build_session
from benchmarks.throughput.entrants import SCORED, Arm, table_scores
from benchmarks.throughput.load import Load, Setting
from mlflow.models import get_model_info
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring.features import select_list

JARS = Path("build/jars/spark")
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
        self.spark = build_session(JARS)
        click = T.StructType.fromDDL(Path("conf/click.ddl").read_text(encoding="utf-8"))
        assert isinstance(click, T.StructType)
        self.click = click

    def run(self, load: Load, out: Path) -> None:
        """Score all clicks."""
        clicks = self.read(load).select(F.from_json("value", self.click).alias("click"), *LINEAGE)
        rows = self.scoring()(clicks.select("click.*", *LINEAGE))
        writer = rows.writeStream.format("delta").option("checkpointLocation", str(out / "checkpoint"))
        writer.trigger(availableNow=True).start(str(out / SCORED)).awaitTermination()

    def read(self, load: Load) -> DataFrame:
        """Return the lines of all files, in micro-batches of the same size as the product's."""
        lines = self.spark.readStream.option("maxBytesPerTrigger", load.max_bytes).text(load.folder)
        no_offset = F.lit(None).cast("bigint").alias("source_offset")
        return lines.select("value", F.col("_metadata.file_path").alias("source"), no_offset)

    def scoring(self) -> Callable[[DataFrame], DataFrame]:
        """Fetch the model; return the function that adds features, scores, and what goes with them."""
        features = select_list(Path("conf/features.sql").read_text(encoding="utf-8"), "conf/features.sql")
        # Without the type, the score would be an array of one number.
        model, predict = get_model_info(MODEL), mlflow.pyfunc.spark_udf(self.spark, MODEL, result_type="double")
        inputs = [F.col("features")[field.name] for field in model.signature.inputs.inputs]

        def scored(clicks: DataFrame) -> DataFrame:
            featured = clicks.alias("click").withColumn("features", F.expr(f"struct({features})"))
            return (
                featured.withColumn("score", predict(F.struct(*inputs)))
                .withColumn("model_name", F.lit("click_propensity"))
                .withColumn("model_version", F.lit(str(model.registered_model_version)))
                .withColumn("scored_at", F.current_timestamp())
                .drop("features")
            )

        return scored

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
        scored = self.scoring()
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
