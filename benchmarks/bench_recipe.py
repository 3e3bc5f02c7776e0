"""What users write today as arms: the recipe of the latency benchmark, and its common variant with foreachBatch."""

import os
from collections.abc import Callable
from pathlib import Path

import mlflow
import pyarrow as pa
from bench_arms import SCORED, Arm, table_scores
from bench_load import Load, Setting
from latency_recipe import MODEL, build_session, score
from mlflow.models import get_model_info
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.features import select_list

JARS = Path("build/jars/spark")
SETTINGS = "spark.driver.memory 2g\nspark.sql.session.timeZone UTC\n"
"""All that is not a default, beside Delta's own: the driver has the memory of the product's, and hours are of UTC."""
CORRUPT = "_corrupt_record"


class Recipe:
    """`from_json`, `spark_udf` and `writeStream.format("delta")`: validates nothing, and has no `batch_id`."""

    def __init__(self, setting: Setting, home: Path) -> None:
        """Start the session, without our settings."""
        settings = home / "conf"
        settings.mkdir()
        (settings / "spark-defaults.conf").write_text(SETTINGS)
        os.environ["SPARK_CONF_DIR"] = str(settings)
        mlflow.set_tracking_uri(setting.registry)
        self.spark = build_session(JARS)

    def run(self, load: Load, out: Path) -> None:
        """Score all clicks."""
        writer = score(self.spark, self._read(load)).writeStream.format("delta")
        writer = writer.option("checkpointLocation", str(out / "checkpoint")).trigger(availableNow=True)
        writer.start(str(out / SCORED)).awaitTermination()

    def _read(self, load: Load) -> DataFrame:
        lines = self.spark.readStream.option("maxBytesPerTrigger", load.max_bytes).text(load.folder)
        return lines.select("value", F.col("_metadata.file_path").alias("source"), F.lit(None).alias("source_offset"))

    def scores(self, out: Path) -> pa.Table | None:
        """Return what is in the table."""
        return table_scores(out)


class RecipeForeachBatch(Recipe):
    """Parsed and kept with `persist`, split by `_corrupt_record` and required fields, appended to two tables."""

    def run(self, load: Load, out: Path) -> None:
        """Score all clicks, and keep what is none."""
        click = T.StructType.fromDDL(Path("conf/click.ddl").read_text(encoding="utf-8"))
        assert isinstance(click, T.StructType)
        parsed = self._read(load).select("*", _parsed(click)).select("click.*", "value", "source")
        scored = self._scoring()
        is_good = F.col(CORRUPT).isNull()
        for field in click:
            is_good &= F.lit(True) if field.nullable else F.col(field.name).isNotNull()

        def write(rows: DataFrame, batch_id: int) -> None:
            rows.persist()
            good = rows.where(is_good).select(*click.names, "source", F.lit(batch_id).cast("bigint").alias("batch_id"))
            _append(scored(good), out / SCORED)
            bad = rows.where(~is_good).select("value", "source", F.current_timestamp().alias("received_at"))
            _append(bad, out / "rejected_clicks")
            rows.unpersist()

        writer = parsed.writeStream.foreachBatch(write).option("checkpointLocation", str(out / "checkpoint"))
        writer.trigger(availableNow=True).start().awaitTermination()

    def _scoring(self) -> Callable[[DataFrame], DataFrame]:
        features = select_list(Path("conf/features.sql").read_text(encoding="utf-8"), "conf/features.sql")
        model, predict = get_model_info(MODEL), mlflow.pyfunc.spark_udf(self.spark, MODEL)
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


def _parsed(click: T.StructType) -> Column:
    schema = T.StructType([*click.fields, T.StructField(CORRUPT, T.StringType())])
    return F.from_json("value", schema, {"columnNameOfCorruptRecord": CORRUPT}).alias("click")


def _append(rows: DataFrame, table: Path) -> None:
    rows.write.format("delta").mode("append").save(str(table))


ARMS: dict[str, Callable[[Setting, Path], Arm]] = {"recipe": Recipe, "recipe_foreach_batch": RecipeForeachBatch}
