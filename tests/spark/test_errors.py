from collections.abc import Iterator

import pyarrow as pa
import pytest
from pyspark.errors import AnalysisException, PythonException
from pyspark.sql import SparkSession

from clickscore.errors import gist


def test_error_of_a_python_worker_is_told_by_its_own_words_not_by_its_trace(spark: SparkSession) -> None:
    def unlucky(_: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        raise ModuleNotFoundError("No module named 'lightgbm'")

    with pytest.raises(PythonException) as raised:
        spark.range(1).mapInArrow(unlucky, "id long").collect()
    assert gist(raised.value) == "ModuleNotFoundError: No module named 'lightgbm'"


def test_error_of_spark_is_told_without_the_plan_below_it(spark: SparkSession) -> None:
    with pytest.raises(AnalysisException) as raised:
        spark.range(1).select("price")
    assert "price" in gist(raised.value)
    assert "Project" in str(raised.value)
    assert "Project" not in gist(raised.value)
