import sys

from pyspark.sql import SparkSession


def test_times_are_utc_and_workers_run_the_same_python(spark: SparkSession) -> None:
    assert spark.conf.get("spark.sql.session.timeZone") == "UTC"

    def python(_: object) -> list[str]:
        return [sys.executable]

    assert spark.sparkContext.parallelize([1], 1).mapPartitions(python).collect() == [sys.executable]


def test_session_starts_offline_with_the_resolved_jars(spark: SparkSession) -> None:
    jars = spark.conf.get("spark.jars", "")
    assert jars is not None
    assert "build/jars/spark/delta-spark_4.2_2.13-4.4.0.jar" in jars
    assert spark.conf.get("spark.jars.packages", "") == ""
