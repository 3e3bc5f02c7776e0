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
from benchmarks.common.recipe import build_session, read_click, scoring
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

LINEAGE = ("source", "source_offset")
WAIT_S = 1
"""How often it looks whether it was asked to stop."""


def read(spark: SparkSession, folder: str, servers: str, topic: str) -> DataFrame:
    """Return the records, with where they came from."""
    if folder:
        no_offset = F.lit(None).cast("bigint").alias("source_offset")
        return spark.readStream.text(folder).select("value", F.col("_metadata.file_path").alias("source"), no_offset)
    records = spark.readStream.format("kafka").option("kafka.bootstrap.servers", servers).option("subscribe", topic)
    return records.option("startingOffsets", "earliest").load().select(
        F.col("value").cast("string"), F.concat_ws("-", "topic", "partition").alias("source"),
        F.col("offset").alias("source_offset"),
    )  # fmt: skip


def score(spark: SparkSession, lines: DataFrame) -> DataFrame:
    """Parse the records, compute the features and ask the model; the columns are those of ``scored_clicks``."""
    clicks = lines.select(F.from_json("value", read_click()).alias("click"), *LINEAGE)
    return scoring(spark)(clicks.select("click.*", *LINEAGE))


def main() -> None:
    """Score until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
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
    spark = build_session()
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
