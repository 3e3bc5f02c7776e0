import subprocess
import sys
from pathlib import Path

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


def test_session_without_the_jars_of_delta_is_one_message(tmp_path: Path) -> None:
    program = """
from clickscore.errors import ConfigError
from clickscore.session import build_session
try:
    build_session("elsewhere")
except ConfigError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"build/jars/spark of the current folder, {tmp_path}; found" in done.stdout
    assert "ClassNotFoundException: org.apache.spark.sql.delta.catalog.DeltaCatalog. Run make setup" in done.stdout
    assert "Traceback" not in done.stderr
