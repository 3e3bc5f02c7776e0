"""The recipe: what a user writes today to score a stream of clicks, with all defaults of Spark, Delta and MLflow.

A program; the benchmark of latency starts it without our Spark settings. It parses with `from_json`, scores with
`mlflow.pyfunc.spark_udf` and appends with `writeStream.format("delta")`. It validates nothing, keeps no rejected
records, and would score a replayed micro-batch by another model.
"""

import argparse
import signal
from pathlib import Path

import mlflow
from benchmarks.common.durations import Durations
from mlflow.models import get_model_info
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from clickscore.scoring.features import select_list

MODEL = "models:/click_propensity@champion"
WAIT_S = 1
"""How often it looks whether it was asked to stop."""


def build_session(jars: Path) -> SparkSession:
    """Return a session with Delta, and nothing else that is not a default."""
    return (
        SparkSession.builder.appName("recipe")
        .config("spark.jars", ",".join(map(str, sorted(jars.glob("*.jar")))))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .getOrCreate()
    )


def read(spark: SparkSession, folder: str, servers: str, topic: str) -> DataFrame:
    """Return the records, with where they came from."""
    if folder:
        lines = spark.readStream.text(folder)
        return lines.select("value", F.col("_metadata.file_path").alias("source"), F.lit(None).alias("source_offset"))
    records = spark.readStream.format("kafka").option("kafka.bootstrap.servers", servers).option("subscribe", topic)
    return records.option("startingOffsets", "earliest").load().select(
        F.col("value").cast("string"), F.concat_ws("-", "topic", "partition").alias("source"),
        F.col("offset").alias("source_offset"),
    )  # fmt: skip


def score(spark: SparkSession, records: DataFrame) -> DataFrame:
    """Parse the records, compute the features and ask the model; the columns are those of ``scored_clicks``."""
    click = T.StructType.fromDDL(Path("conf/click.ddl").read_text(encoding="utf-8"))
    assert isinstance(click, T.StructType)
    features = select_list(Path("conf/features.sql").read_text(encoding="utf-8"), "conf/features.sql")
    model = get_model_info(MODEL)
    predict = mlflow.pyfunc.spark_udf(spark, MODEL)
    inputs = [F.col("features")[field.name].cast(field.type.to_spark()).alias(field.name)
              for field in model.signature.inputs.inputs]  # fmt: skip
    clicks = records.select(F.from_json("value", click).alias("click"), "source", "source_offset")
    featured = clicks.select("click.*", "source", F.col("source_offset").cast("bigint")).alias("click")
    return (
        featured.withColumn("features", F.expr(f"struct({features})"))
        .withColumn("score", predict(F.struct(*inputs)))
        .withColumn("model_name", F.lit("click_propensity"))
        .withColumn("model_version", F.lit(str(model.registered_model_version)))
        .withColumn("scored_at", F.current_timestamp())
        .drop("features")
    )


def main() -> None:
    """Score until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jars", type=Path, required=True, help="folder with the jars of Delta and Kafka")
    parser.add_argument("--registry", required=True, help="where the model is registered")
    parser.add_argument("--folder", default="", help="landing folder to read")
    parser.add_argument("--servers", default="", help="or else the brokers")
    parser.add_argument("--topic", default="", help="and the topic")
    parser.add_argument("--table", required=True, help="where the scored clicks go")
    parser.add_argument("--checkpoint", required=True, help="of the stream")
    parser.add_argument("--durations", type=Path, help="file for the durations of the micro-batches")
    a = parser.parse_args()
    stopping: list[int] = []
    mlflow.set_tracking_uri(a.registry)
    spark = build_session(a.jars)
    if a.durations:
        Durations(a.durations).watch(spark)
    scored = score(spark, read(spark, a.folder, a.servers, a.topic))
    query = scored.writeStream.format("delta").option("checkpointLocation", a.checkpoint).start(a.table)
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    while not stopping and not query.awaitTermination(WAIT_S):
        pass
    query.stop()


if __name__ == "__main__":
    main()
